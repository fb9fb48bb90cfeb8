/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_changed_tables.c - scans of the processes whose tables count changes
 */
#include "host/proc_maps.h"
#include "publisher.h"
#include "scan/process_scan.h"
#include "whole_scan.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define RW   (PROT_READ | PROT_WRITE)
#define MANY 100

static struct scanner *scanner;
static struct scan_exclusions skip;
static int file;

static pid_t read_pids[MANY]; /* whose areas were read */
static size_t reads;
static struct publisher *hurried; /* takes a step, once: */
static unsigned hurried_at;       /* when its areas have been read so often */

int __real_maps_read(struct maps *maps, pid_t pid);
int __wrap_maps_read(struct maps *maps, pid_t pid);

int __wrap_maps_read(struct maps *maps, pid_t pid)
{
	struct publisher *publisher = hurried;
	int error = __real_maps_read(maps, pid);

	if (reads < MANY)
		read_pids[reads++] = pid;
	if (publisher && publisher->pid == pid && !--hurried_at) {
		hurried = NULL;
		publisher_step(publisher);
	}
	return error;
}

static bool pause_begun; /* tables have a pause in which their areas have changed */

int __real_process_scan(struct scanned_process *process, struct scan_context *context,
			struct scan_report **report);
int __wrap_process_scan(struct scanned_process *process, struct scan_context *context,
			struct scan_report **report);

int __wrap_process_scan(struct scanned_process *process, struct scan_context *context,
			struct scan_report **report)
{
	int error = __real_process_scan(process, context, report);

	context->unsure |= pause_begun;
	return error;
}

static int begin(void **state)
{
	(void)state;
	skip = (struct scan_exclusions){.own = {getpid()}};
	scanner = scanner_new(&skip);
	file = publisher_file(16 * PAGE);
	return !scanner;
}

static int end(void **state)
{
	(void)state;
	scanner_free(scanner);
	close(file);
	return 0;
}

/* A scan with that many events of that process. */
static void scan(enum scan_kind kind, pid_t pid, size_t events)
{
	struct scan scan = {.kind = kind, .pid = kind == SCAN_ONE ? pid : 0};
	size_t count = 0;

	reads = 0;
	scan_whole(scanner, &scan);
	free(scan.passed_over);
	while (scan.report) {
		struct scan_report *next = scan.report->next;

		if (scan.report->pid == pid)
			count += scan.report->gone ? 1 : scan.report->count;
		scan_report_free(scan.report);
		scan.report = next;
	}
	assert_int_equal(count, events);
}

static bool has_changed(pid_t pid)
{
	return scanner_has_changed(scanner, pid, MANY, UINT64_MAX);
}

/* The table is new in the first scan, which may have read the areas before it began to count. */
static void make_known(const struct publisher *publisher)
{
	scan(SCAN_ONE, publisher->pid, 1);
	scan(SCAN_ONE, publisher->pid, 0);
}

static struct table_header *table;

static void map_next(uint32_t number)
{
	struct pmem2fs_record record;

	put(8 * number, 4, RW, MAP_SHARED, file, 2);
	record = truth(8 * number, 4, file, 2);
	publish(table, number, &record);
}

static void counting(unsigned number)
{
	if (!number)
		table = forge_table("pmem2fs", TABLE_VERSION, 10, TABLE_SEALS);
	map_next(number);
	table->changes++;
}

static void not_counting(unsigned number)
{
	if (!number)
		table = forge_table("pmem2fs", TABLE_VERSION, 10, TABLE_SEALS);
	map_next(number);
}

static void only_what_has_changed_is_read(void **state)
{
	struct publisher one, two;

	(void)state;
	publisher_start(&one, counting);
	publisher_start(&two, counting);
	make_known(&one);
	make_known(&two);
	assert_false(has_changed(0) || has_changed(one.pid) || has_changed(two.pid));
	assert_false(has_changed(getpid())); /* it is not known */
	scan(SCAN_CHANGED, one.pid, 0);
	assert_int_equal(reads, 0);

	publisher_step(&two);
	assert_true(has_changed(0) && has_changed(two.pid));
	assert_false(has_changed(one.pid));
	scan(SCAN_CHANGED, two.pid, 1);
	assert_true(reads > 0);
	for (size_t i = 0; i < reads; i++)
		assert_int_equal(read_pids[i], two.pid);
	assert_false(has_changed(0));
	assert_true(scanner_has_changed(scanner, 0, 1, UINT64_MAX)); /* too many to be asked */
	publisher_stop(&one);
	publisher_stop(&two);
}

/* Reading the tables may take long, and the loop waits meanwhile. */
static void not_all_are_asked_when_time_is_over(void **state)
{
	struct publisher one, two;

	(void)state;
	publisher_start(&one, counting);
	make_known(&one);
	assert_false(scanner_has_changed(scanner, 0, MANY, 1));
	publisher_start(&two, counting);
	make_known(&two);
	assert_true(scanner_has_changed(scanner, 0, MANY, 1));
	assert_false(scanner_has_changed(scanner, two.pid, MANY, 1));
	assert_false(has_changed(0));
	publisher_stop(&one);
	publisher_stop(&two);
}

/* What is mapped when the areas have been read, and before the table is, is not in the report. */
static void a_change_during_a_scan_is_not_missed(void **state)
{
	struct publisher publisher;

	(void)state;
	publisher_start(&publisher, counting);
	/* The table is new, and has counted the change when it is opened. */
	hurried = &publisher;
	hurried_at = 2; /* at first, the areas decide whether the process is scanned */
	scan(SCAN_ONE, publisher.pid, 1);
	assert_null(hurried);
	assert_true(has_changed(publisher.pid));
	scan(SCAN_CHANGED, publisher.pid, 1);
	assert_false(has_changed(publisher.pid));

	hurried = &publisher;
	hurried_at = 1;
	scan(SCAN_ONE, publisher.pid, 0);
	assert_null(hurried);
	assert_true(has_changed(publisher.pid));
	scan(SCAN_CHANGED, publisher.pid, 1);
	assert_false(has_changed(publisher.pid));
	publisher_stop(&publisher);
}

static void a_table_that_does_not_count_is_always_read(void **state)
{
	struct publisher publisher;

	(void)state;
	publisher_start(&publisher, not_counting);
	make_known(&publisher);
	assert_true(has_changed(0) && has_changed(publisher.pid));
	publisher_step(&publisher);
	scan(SCAN_CHANGED, publisher.pid, 1);
	publisher_stop(&publisher);
}

static void an_end_is_a_change(void **state)
{
	struct publisher publisher;

	(void)state;
	publisher_start(&publisher, counting);
	make_known(&publisher);
	publisher_stop(&publisher);
	assert_true(has_changed(0) && has_changed(publisher.pid));
	scan(SCAN_CHANGED, publisher.pid, 1);
	assert_false(has_changed(0));
}

/* Nobody takes what their tables said before for what a scan has found. */
static void processes_in_a_pause_are_passed_over(void **state)
{
	struct publisher publisher;
	struct scan scan_of_all = {.kind = SCAN_ALL};
	bool passed_over = false;

	(void)state;
	publisher_start(&publisher, counting);
	make_known(&publisher);
	pause_begun = true;
	scanner_scan(scanner, &scan_of_all);
	pause_begun = false;
	for (size_t i = 0; i < scan_of_all.passed_count; i++)
		passed_over |= scan_of_all.passed_over[i] == publisher.pid;
	assert_true(passed_over);
	assert_false(scan_of_all.complete);
	free(scan_of_all.passed_over);
	publisher_stop(&publisher);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_what_has_changed_is_read, begin, end),
		cmocka_unit_test_setup_teardown(not_all_are_asked_when_time_is_over, begin, end),
		cmocka_unit_test_setup_teardown(a_change_during_a_scan_is_not_missed, begin, end),
		cmocka_unit_test_setup_teardown(a_table_that_does_not_count_is_always_read, begin,
						end),
		cmocka_unit_test_setup_teardown(an_end_is_a_change, begin, end),
		cmocka_unit_test_setup_teardown(processes_in_a_pause_are_passed_over, begin, end),
	};

	if (geteuid())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
