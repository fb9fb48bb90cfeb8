/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_scanned_process.c - the reports of one process: what it publishes, what it has mapped of
 * files with DAX, and its end
 */
#include "base/clock.h"
#include "process_helper.h"
#include <signal.h>
#include <sys/prctl.h>

/* --- what is published --- */

static void publishing(unsigned number)
{
	switch (number) {
	case 0:
		make_table(400);
		put(0, 4, RW, MAP_SHARED, plain, 2);
		put(8, 2, RW, MAP_PRIVATE, -1, 0);
		put(16, 2, RW, MAP_SHARED, -1, 0);
		claim(0, 0, 4, plain, 2);
		claim(7, 8, 2, -1, 0);
		break;
	case 1:
		take(1, 1);
		break;
	case 2:
		must(!mprotect(place + 8 * PAGE, PAGE, PROT_READ));
		break;
	case 3: /* the same slot, another mapping */
		claim(0, 0, 1, plain, 2);
		break;
	case 4:
		retire(table, 7);
		break;
	case 5:
		take(0, 1);
		break;
	}
}

static void tells_what_is_published_and_what_changes(void **state)
{
	uint64_t first, second;
	struct scan_report *report;
	char comm[16]; /* truncated by the kernel */

	(void)state;
	assert_int_equal(prctl(PR_GET_NAME, comm), 0);
	start(publishing);
	report = scan(2);
	assert_true(report->born && !report->gone && report->pidfd >= 0);
	assert_int_equal(report->pid, publisher.pid);
	assert_string_equal(report->comm, comm);
	NEW(report, 0, 0, 4);
	NEW(report, 1, 8, 2);
	assert_int_equal(report->list[0].record.source_type, PMEM2FS_SOURCE_FILE);
	assert_int_equal(report->list[0].slot, 0);
	assert_int_equal(report->list[1].slot, 7);
	assert_int_equal(report->list[0].generation, 2);
	assert_int_not_equal(report->list[0].table, 0);
	assert_null(report->list[0].extents);
	assert_int_equal(report->list[1].record.sharing, PMEM2_PRIVATE);
	first = report->list[0].number;
	second = report->list[1].number;
	assert_int_not_equal(first, second);
	scan_report_free(report);
	scan(0);

	step();
	report = scan(1);
	assert_true(!report->born && report->pidfd < 0);
	CHANGED(report, 0, 0, 4);
	assert_int_equal(report->list[0].number, first);
	assert_int_equal(report->list[0].extents->count, 2);
	assert_int_equal(report->list[0].extents->list[1].offset, 2 * PAGE);
	scan_report_free(report);
	scan(0);

	step();
	report = scan(1);
	CHANGED(report, 0, 8, 2);
	assert_int_equal(report->list[0].number, second);
	assert_int_equal(report->list[0].record.protection, 1);
	scan_report_free(report);
	scan(0);

	step();
	report = scan(2);
	GONE(report, 0);
	assert_int_equal(report->list[0].number, first);
	NEW(report, 1, 0, 1);
	assert_true(report->list[1].number > second);
	assert_int_equal(report->list[1].generation, 4);
	scan_report_free(report);

	step();
	report = scan(1);
	GONE(report, 0);
	assert_int_equal(report->list[0].number, second);
	scan_report_free(report);

	step();
	report = scan(1);
	GONE(report, 0);
	scan_report_free(report);
	scan(0);
	assert_int_equal(process->table_count, 1);
	assert_int_equal(scanned_process_count(process), 0);
	stop();
}

/* The current user of the process is the owner of its mappings. */
static void another_user_is_a_change(void **state)
{
	struct scan_report *report;

	(void)state;
	start(publishing);
	scan_report_free(scan(2));
	context.uid = 13;
	assert_int_equal(process_scan(process, &context, &report), 0);
	assert_int_equal(report->count, 2);
	assert_int_equal(report->list[0].kind, SCAN_EVENT_CHANGED);
	assert_int_equal(report->list[0].record.uid, 13);
	assert_int_equal(process->uid, 13);
	scan_report_free(report);
	stop();
}

/* --- what is observed --- */

#define OBSERVED(report, i, kind, page, pages)                                                     \
	assert_told(report, i, SCAN_EVENT_##kind, ORIGIN_OBSERVED, page, pages)

static void mapping_dax(unsigned number)
{
	switch (number) {
	case 0:
		put(0, 8, RW, MAP_SHARED, dax_file, 2);
		put(8, 2, RW, MAP_SHARED, dax_file, 10); /* continues it */
		must(!mprotect(place + 2 * PAGE, PAGE, PROT_READ));
		put(10, 2, RW, MAP_SHARED, dax_file, 20);  /* does not */
		put(12, 2, RW, MAP_PRIVATE, dax_file, 22); /* the same apart from sharing */
		put(16, 2, RW, MAP_SHARED, plain, 22);
		break;
	case 1:
		take(9, 1);
		break;
	case 2:
		take(0, 1);
		break;
	case 3: /* the same place, another part */
		put(10, 2, RW, MAP_SHARED, dax_file, 30);
		break;
	case 4:
		must(!mprotect(place + 12 * PAGE, 2 * PAGE, PROT_READ));
		break;
	}
}

static void tells_what_is_observed_and_what_changes(void **state)
{
	struct scan_report *report;
	uint64_t first;
	struct stat st;

	(void)state;
	assert_int_equal(fstat(dax_file, &st), 0);
	start(mapping_dax);
	report = scan(3);
	OBSERVED(report, 0, NEW, 0, 10);
	assert_int_equal(report->list[0].record.protection, 3);
	assert_int_equal(report->list[0].record.offset, 2 * PAGE);
	assert_int_equal(report->list[0].record.source_dev, st.st_dev);
	assert_int_equal(report->list[0].record.source_inode, st.st_ino);
	assert_int_equal(report->list[0].record.source_size, FILE_PAGES * PAGE);
	assert_int_equal(report->list[0].record.source_type, PMEM2FS_SOURCE_FSDAX);
	assert_int_equal(report->list[0].record.granularity, 0);
	assert_int_equal(report->list[0].record.created, 0);
	OBSERVED(report, 1, NEW, 10, 2);
	OBSERVED(report, 2, NEW, 12, 2);
	assert_int_equal(report->list[2].record.sharing, PMEM2_PRIVATE);
	first = report->list[0].number;
	scan_report_free(report);
	scan(0);

	step();
	report = scan(1);
	OBSERVED(report, 0, CHANGED, 0, 9);
	assert_int_equal(report->list[0].number, first);
	scan_report_free(report);

	step();
	report = scan(2);
	OBSERVED(report, 0, GONE, 0, 0);
	OBSERVED(report, 1, NEW, 1, 8);
	assert_true(report->list[1].number > first);
	scan_report_free(report);

	step();
	report = scan(2);
	OBSERVED(report, 0, GONE, 0, 0);
	OBSERVED(report, 1, NEW, 10, 2);
	assert_int_equal(report->list[1].record.offset, 30 * PAGE);
	scan_report_free(report);

	step();
	report = scan(1);
	OBSERVED(report, 0, CHANGED, 12, 2);
	assert_int_equal(report->list[0].record.protection, 1);
	scan_report_free(report);
	scan(0);
	stop();
}

/* The kernel merges all this into one area. */
static void publishing_some(unsigned number)
{
	switch (number) {
	case 0:
		make_table(10);
		put(0, 20, RW, MAP_SHARED, dax_file, 0);
		claim(0, 4, 4, dax_file, 4);
		claim(1, 8, 2, dax_file, 8);
		claim(2, 14, 2, dax_file, 14);
		break;
	case 1:
		retire(table, 1);
		break;
	case 2:
		claim(1, 0, 4, dax_file, 0);
		claim(3, 8, 6, dax_file, 8);
		claim(4, 16, 4, dax_file, 16);
		break;
	}
}

static void what_is_published_is_not_observed(void **state)
{
	struct scan_report *report;

	(void)state;
	start(publishing_some);
	report = scan(6);
	NEW(report, 0, 4, 4);
	assert_int_equal(report->list[0].record.source_type, PMEM2FS_SOURCE_FSDAX);
	NEW(report, 1, 8, 2);
	NEW(report, 2, 14, 2);
	OBSERVED(report, 3, NEW, 0, 4);
	OBSERVED(report, 4, NEW, 10, 4);
	OBSERVED(report, 5, NEW, 16, 4);
	scan_report_free(report);
	scan(0);

	step();
	report = scan(3);
	GONE(report, 0);
	OBSERVED(report, 1, NEW, 8, 6);
	OBSERVED(report, 2, GONE, 0, 0);
	scan_report_free(report);

	step();
	report = scan(6);
	NEW(report, 0, 0, 4);
	NEW(report, 1, 8, 6);
	NEW(report, 2, 16, 4);
	for (size_t i = 3; i < 6; i++)
		OBSERVED(report, i, GONE, 0, 0);
	scan_report_free(report);
	scan(0);
	stop();
}

static void unmapping_meanwhile(unsigned number)
{
	switch (number) {
	case 0:
		make_table(10);
		put(0, 2, RW, MAP_SHARED, dax_file, 0);
		put(4, 2, RW, MAP_SHARED, dax_file, 4);
		claim(0, 0, 2, dax_file, 0);
		break;
	case 1: /* after the areas were read */
		retire(table, 0);
		take(0, 2);
		break;
	}
}

static void what_goes_while_we_look_is_not_observed(void **state)
{
	struct scan_report *report;

	(void)state;
	start(unmapping_meanwhile);
	/* The first published range is checked before the areas without one. */
	while_looking = step;
	report = scan(1);
	OBSERVED(report, 0, NEW, 4, 2);
	scan_report_free(report);
	scan(0);
	stop();
}

/* --- ends --- */

static void *only_thread(void *unused)
{
	(void)unused;
	pause();
	return NULL;
}

static void leaving_a_thread(unsigned number)
{
	pthread_t thread;

	if (number == 0) {
		make_table(10);
		put(0, 2, RW, MAP_SHARED, plain, 0);
		put(4, 2, RW, MAP_SHARED, dax_file, 0);
		claim(0, 0, 2, plain, 0);
	} else {
		must(!pthread_create(&thread, NULL, only_thread, NULL));
		syscall(SYS_exit, 0); /* of this thread only */
	}
}

static bool first_has_ended(void)
{
	char path[64], text[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)publisher.pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	return strstr(text, ") Z ");
}

static void the_first_thread_may_end(void **state)
{
	char byte = 0;

	(void)state;
	start(leaving_a_thread);
	scan_report_free(scan(2));
	assert_int_equal(write(publisher.to, &byte, 1), 1);
	while (!first_has_ended())
		usleep(1000);
	scan(0);
	scanned_process_free(process);
	process = scanned_process_new(78, publisher.pid,
				      (int)syscall(SYS_pidfd_open, publisher.pid, 0));
	context.numbers = 0;
	{
		struct scan_report *report;

		assert_int_equal(process_scan(process, &context, &report), 0);
		assert_int_equal(report->count, 2);
		scan_report_free(report);
	}
	stop();
}

static void what_ended_is_gone(void **state)
{
	struct scan_report *report;

	(void)state;
	start(publishing);
	assert_null(scanned_process_gone(process));
	scan_report_free(scan(2));
	assert_true(scanned_process_is_alive(process));
	assert_int_equal(kill(publisher.pid, SIGKILL), 0);
	while (scanned_process_is_alive(process))
		usleep(1000);
	/* The process is a zombie. */
	assert_int_equal(process_scan(process, &context, &report), -ESRCH);
	assert_int_equal(scanned_process_count(process), 2);
	report = scanned_process_gone(process);
	assert_true(report->gone && report->process == 77 && !report->count && report->pidfd < 0);
	scan_report_free(report);
	stop();
}

/* --- tables that change without end --- */

#define CLAIMS 2000u

static void claim_all(void)
{
	for (uint32_t i = 0; i < CLAIMS; i++)
		claim(i, i, 1, -1, 0);
}

static void restless(unsigned number)
{
	if (number == 0) {
		make_table(CLAIMS + 1);
		put(0, CLAIMS, RW, MAP_PRIVATE, -1, 0);
		put(CLAIMS, 4, RW, MAP_SHARED, dax_file, 0);
		put(CLAIMS + 16, 2, RW, MAP_SHARED, dax_file, 0);
		claim(CLAIMS, CLAIMS + 16, 2, dax_file, 0);
	}
	if (number == 20) { /* the areas change */
		put(CLAIMS + 8, 2, RW, MAP_SHARED, dax_file, 0);
		take(0, 1);
	}
	claim_all();
}

static void scan_any(void)
{
	struct scan_report *report;

	assert_int_equal(process_scan(process, &context, &report), 0);
	scan_report_free(report);
}

/* Scans that process until its tables get a pause of five seconds. */
static void start_restless(void)
{
	uint64_t pause = 0;

	context.now = 1000 * CLOCK_SECOND;
	start(restless);
	scan_report_free(scan(CLAIMS + 2));
	assert_int_equal(process->pause, 0); /* nothing was outdated */
	for (int i = 0; i < 14; i++) {
		step();
		context.now = process->paused_until;
		scan_report_free(scan(2 * CLAIMS));
		assert_true(process->pause > pause || process->pause == 5 * CLOCK_SECOND);
		pause = process->pause;
	}
	assert_int_equal(pause, 5 * CLOCK_SECOND);
	assert_int_equal(process->paused_until, context.now + pause);
}

/* What was confirmed is still true while the areas are the same. */
static void tables_that_always_change_get_pauses(void **state)
{
	(void)state;
	start_restless();
	context.now = process->paused_until - 1;
	step();
	scan(0);
	assert_int_equal(scanned_process_count(process), CLAIMS + 2);
	assert_true(!context.looked && !context.unsure);
	context.now++;
	scan_report_free(scan(2 * CLAIMS));
	assert_true(context.looked);
	/* The first quiet scan ends that. */
	context.now = process->paused_until;
	scan(0);
	assert_int_equal(process->pause, 0);
	step();
	scan_report_free(scan(2 * CLAIMS));
	assert_true(process->pause > 0 && process->pause < CLOCK_SECOND);
	stop();
}

/* What root's processes publish is always known. */
static void tables_of_root_get_no_pauses(void **state)
{
	(void)state;
	context.now = 1000 * CLOCK_SECOND;
	context.uid = 0;
	start(restless);
	for (int i = 0; i < 5; i++) {
		scan_any();
		assert_true(context.looked);
		step();
	}
	context.uid = 12; /* the process becomes a user's */
	scan_any();
	assert_true(context.looked);
	step();
	scan_any();
	assert_false(context.looked);
	stop();
}

/*
 * What was published stays shown until the tables are read, for it may still be there. Other memory
 * of files with DAX is shown at once.
 */
static void areas_that_change_in_a_pause(void **state)
{
	struct scan_report *report;

	(void)state;
	start_restless();
	for (int i = 15; i < 20; i++)
		step();
	context.now++;
	scan(0);
	assert_false(context.unsure);
	step();
	report = scan(1);
	assert_told(report, 0, SCAN_EVENT_NEW, ORIGIN_OBSERVED, CLAIMS + 8, 2);
	scan_report_free(report);
	assert_int_equal(scanned_process_count(process), CLAIMS + 3);
	assert_true(!context.looked && context.unsure);
	context.unsure = false;
	scan(0);
	assert_true(!context.looked && context.unsure);
	context.now = process->paused_until;
	report = scan(2 * CLAIMS - 1); /* a page has been unmapped */
	GONE(report, 0);
	GONE(report, 1);
	NEW(report, 2, 1, 1);
	scan_report_free(report);
	assert_int_equal(scanned_process_count(process), CLAIMS + 2);
	assert_true(context.looked && !context.unsure);
	stop();
}

/*
 * The mappings of another user are looked at at once. Another group alone, which a process may
 * change again and again, ends no pause.
 */
static void another_user_in_a_pause(void **state)
{
	(void)state;
	start_restless();
	step();
	context.uid = 13;
	scan_any();
	assert_true(context.looked);
	assert_int_equal(scanned_process_count(process), CLAIMS + 2);
	scan_any();
	assert_false(context.looked);
	context.gid = 35;
	scan_any();
	assert_true(!context.looked && context.unsure);
	assert_int_equal(scanned_process_count(process), CLAIMS + 2);
	context.now = process->paused_until;
	scan_any();
	assert_true(context.looked && !context.unsure);
	stop();
}

static void growing(unsigned number)
{
	if (number == 0)
		make_table(4 * CLAIMS);
	put(number * CLAIMS, CLAIMS, RW, MAP_PRIVATE, -1, 0);
	for (uint32_t i = 0; i < CLAIMS; i++)
		claim(number * CLAIMS + i, number * CLAIMS + i, 1, -1, 0);
}

/* A program that begins to use thousands of mappings is seen at once. */
static void many_new_mappings_make_no_pause(void **state)
{
	(void)state;
	start(growing);
	scan_report_free(scan(CLAIMS));
	for (int i = 0; i < 3; i++) {
		step();
		scan_report_free(scan(CLAIMS));
		assert_int_equal(process->pause, 0);
	}
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tells_what_is_published_and_what_changes, begin,
						end),
		cmocka_unit_test_setup_teardown(another_user_is_a_change, begin, end),
		cmocka_unit_test_setup_teardown(tells_what_is_observed_and_what_changes, begin,
						end),
		cmocka_unit_test_setup_teardown(what_is_published_is_not_observed, begin, end),
		cmocka_unit_test_setup_teardown(what_goes_while_we_look_is_not_observed, begin,
						end),
		cmocka_unit_test_setup_teardown(the_first_thread_may_end, begin, end),
		cmocka_unit_test_setup_teardown(what_ended_is_gone, begin, end),
		cmocka_unit_test_setup_teardown(tables_that_always_change_get_pauses, begin, end),
		cmocka_unit_test_setup_teardown(tables_of_root_get_no_pauses, begin, end),
		cmocka_unit_test_setup_teardown(areas_that_change_in_a_pause, begin, end),
		cmocka_unit_test_setup_teardown(another_user_in_a_pause, begin, end),
		cmocka_unit_test_setup_teardown(many_new_mappings_make_no_pause, begin, end),
	};

	if (geteuid())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
