/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_next_scanner.c - what is shown when another scanner takes the place of the first
 *
 * Each scanner counts its numbers from 1, so both give the same numbers to different mappings.
 */
#include "catalog/mapping_fields.h"
#include "process_table_helper.h"

#define FIRST 1 /* number of the process, at the first scanner */
#define NEXT  5 /* the same, at the next one */

static void label(struct scan_event *event, const char *text)
{
	event->record.label_length = (uint8_t)strlen(text);
	memcpy(event->record.label, text, strlen(text));
}

/* The next scan has the scanner replaced. */
static void miss_something(struct fixture *fixture)
{
	struct scan_report *missed = news_new(fixture, 99, 1);

	close(missed->pidfd); /* its end cannot be watched, so it is not shown */
	missed->pidfd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	missed->pid = getpid();
	scan(fixture, missed);
}

/*
 * Has the first scanner replaced by the next one, which scans all. Its report is taken in when the
 * rig runs.
 */
static void replace_scanner(struct fixture *fixture, struct wait *wait, struct scan_report *report)
{
	const struct scanner *first = fake.newest;

	miss_something(fixture);
	fake.next = report;
	*wait = (struct wait){.waiter.wake = wake};
	scan_for_user(fixture, wait);
	assert_ptr_not_equal(fake.newest, first);
}

/* Four mappings, in slots 1 to 4: two with the same label, one without, and an observed one. */
static struct scan_report *four(struct fixture *fixture, uint64_t process)
{
	struct scan_report *report = news_new(fixture, process, 4);

	for (uint32_t i = 0; i < 4; i++) {
		report->list[i].record.address = 0x10000 * (i + 1);
		report->list[i].slot = i + 1;
		report->list[i].table = 4711;
		report->list[i].generation = 1;
	}
	label(&report->list[0], "wal");
	label(&report->list[1], "wal");
	report->list[3].origin = ORIGIN_OBSERVED;
	return report;
}

static const char *const names[] = {"a_out.%d.wal", "a_out.%d.0x20000", "a_out.%d.0x30000",
				    "a_out.%d.0x40000"};

static void leaves(struct mapping_observer *observer)
{
	(void)observer;
	fail_msg("the mapping stays");
}

static void what_is_reported_again_stays(void **state)
{
	struct fixture *fixture = *state;
	struct mapping_observer observer = {.leaving = leaves, .replaced = leaves};
	struct scan_report *report;
	struct wait wait;
	uint64_t numbers[4];

	scan(fixture, four(fixture, FIRST));
	for (int i = 0; i < 4; i++)
		numbers[i] = mapping_number(find(fixture, names[i]));
	mapping_set_observer(find(fixture, names[1]), &observer);
	report = four(fixture, NEXT);
	for (int i = 0; i < 4; i++)
		report->list[i].number = 4 - (uint64_t)i;
	replace_scanner(fixture, &wait, report);
	assert_int_equal(shown(fixture), 4);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(shown(fixture), 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(mapping_number(find(fixture, names[i])), numbers[i]);
	mapping_set_observer(find(fixture, names[1]), NULL);
	/* Further reports find them by their new numbers. */
	report = more_news(fixture, NEXT, 1);
	report->list[0].kind = SCAN_EVENT_GONE;
	report->list[0].number = 4;
	scan(fixture, report);
	assert_null(find(fixture, names[0]));
	assert_int_equal(shown(fixture), 3);
	end_child(fixture);
	while (shown(fixture))
		rig_poll(fixture->rig);
}

static void what_is_not_reported_again_goes(void **state)
{
	struct fixture *fixture = *state;
	struct scan_report *report;
	struct wait wait;
	uint64_t published, observed;

	scan(fixture, four(fixture, FIRST));
	published = mapping_number(find(fixture, names[0]));
	observed = mapping_number(find(fixture, names[3]));
	/* Another mapping has the first one's label, and the observed one maps another file. */
	report = four(fixture, NEXT);
	report->list[0].generation = 2;
	report->list[3].record.source_inode = 1;
	replace_scanner(fixture, &wait, report);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(shown(fixture), 4);
	assert_int_not_equal(mapping_number(find(fixture, names[0])), published);
	assert_int_not_equal(mapping_number(find(fixture, names[3])), observed);

	report = four(fixture, NEXT);
	report->count = 1;
	report->list[0].generation = 2;
	replace_scanner(fixture, &wait, report);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(shown(fixture), 1);
	assert_non_null(find(fixture, names[0]));
}

static unsigned replacements;

static void is_replaced(struct mapping_observer *observer)
{
	(void)observer;
	replacements++;
}

static void goes(struct mapping_observer *observer)
{
	if (!replacements)
		leaves(observer);
}

/* The process has changed its name: the mapping is removed and shown under another name. */
static void what_is_shown_anew_is_replaced(void **state)
{
	struct fixture *fixture = *state;
	struct mapping_observer observer = {.leaving = goes, .replaced = is_replaced};
	struct scan_report *report;
	struct wait wait;

	scan(fixture, four(fixture, FIRST));
	mapping_set_observer(find(fixture, names[1]), &observer);
	report = four(fixture, NEXT);
	strcpy(report->comm, "b.out");
	replacements = 0;
	replace_scanner(fixture, &wait, report);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(replacements, 1);
	assert_int_equal(shown(fixture), 4);
	assert_non_null(find(fixture, "b_out.%d.0x20000"));
}

/* A scan of all has not reported it: its mappings have gone, or it is left out. */
static void a_process_that_is_not_reported_goes(void **state)
{
	struct fixture *fixture = *state;
	struct wait wait;

	scan(fixture, four(fixture, FIRST));
	replace_scanner(fixture, &wait, NULL);
	assert_int_equal(shown(fixture), 4);
	rig_run(fixture->rig, &wait.woken);
	assert_null(find(fixture, names[0])); /* not shown in the answer to this scan */
	while (shown(fixture))
		process_table_expire(fixture->process_table, clock_now());
}

/* A scan of all has not looked at it, since its user had no time. */
static void a_process_that_was_passed_over_stays(void **state)
{
	struct fixture *fixture = *state;
	struct wait wait;

	scan(fixture, four(fixture, FIRST));
	fake.passes_over = fixture->child;
	replace_scanner(fixture, &wait, NULL);
	rig_run(fixture->rig, &wait.woken);
	process_table_expire(fixture->process_table, clock_now());
	assert_non_null(find(fixture, names[0]));
	assert_int_equal(shown(fixture), 4);
	fake.passes_over = 0;
	scan(fixture, NULL);
	assert_null(find(fixture, names[0]));
}

/*
 * The mappings of a process that may not be scanned are removed from the catalog. An rm that waits
 * for one of them is refused, since the mapping may still exist.
 */
static void a_process_that_is_left_out_may_have_all(void **state)
{
	struct fixture *fixture = *state;
	struct mapping_observer observer = {.leaving = goes, .replaced = is_replaced};
	struct scanner *stuck = fake.newest;
	uint64_t now = clock_now();
	struct wait wait = {0};

	scan(fixture, four(fixture, FIRST));
	mapping_set_observer(find(fixture, names[1]), &observer);
	replacements = 0;
	stuck->stops = true;
	stuck->at = fixture->child;
	fake.passes_over = fixture->child;
	scan_for_user(fixture, &wait);
	for (int i = 1; fake.newest == stuck; i++)
		process_table_expire(fixture->process_table, now + (uint64_t)i * CLOCK_SECOND);
	assert_int_equal(replacements, 0);
	scan(fixture, NULL);
	assert_int_equal(replacements, 1);
	assert_null(find(fixture, names[1]));
	while (shown(fixture)) /* before `observer` goes out of scope */
		process_table_expire(fixture->process_table, clock_now());
	sem_post(&stuck->go);
	while (fake.alive > 1 || fake.newest->skip->stuck_threads.stuck[0])
		rig_poll(fixture->rig);
}

/* The report waits in the queue of the new user, who has no time. */
static void a_process_that_changes_its_user_stays(void **state)
{
	struct fixture *fixture = *state;
	struct scan_report *report;
	struct wait wait;

	scan(fixture, four(fixture, FIRST));
	report = four(fixture, NEXT);
	report->uid = 7;
	quota_charge(&loop_time, quota_of(&loop_time, 7), clock_now(), 1000 * CLOCK_SECOND);
	replace_scanner(fixture, &wait, report);
	rig_run(fixture->rig, &wait.woken);
	process_table_expire(fixture->process_table, clock_now());
	assert_non_null(find(fixture, names[0]));
	assert_int_equal(shown(fixture), 4);
	quota_of(&loop_time, 7)->credit = (int64_t)CLOCK_SECOND / 5;
	process_table_expire(fixture->process_table, clock_now());
	scan(fixture, NULL);
	assert_int_equal(shown(fixture), 4);
}

static void scan_child(struct fixture *fixture)
{
	struct wait wait = {.waiter.wake = wake};

	assert_int_equal(
		process_table_scan_pid(fixture->process_table, fixture->child, &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
}

/* A scan of that process alone finds none of its mappings. */
static void a_process_that_is_scanned_alone_goes(void **state)
{
	struct fixture *fixture = *state;
	struct wait wait;

	scan(fixture, four(fixture, FIRST));
	replace_scanner(fixture, &wait, NULL);
	rig_run(fixture->rig, &wait.woken);
	fake.leaves_out = true;
	scan_child(fixture);
	assert_int_equal(shown(fixture), 4);
	fake.leaves_out = false;
	scan_child(fixture);
	assert_null(find(fixture, names[0]));
	process_table_expire(fixture->process_table, clock_now());
	assert_int_equal(shown(fixture), 0);
}

/* While the next scanner's report of a process waits, process_table_shows is false. */
static void a_report_that_waits_decides_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct scan_report *report = four(fixture, FIRST);
	uint64_t since = clock_now();
	struct wait wait;

	report->uid = 7;
	scan(fixture, report);
	report = four(fixture, NEXT);
	report->uid = 7;
	quota_charge(&loop_time, quota_of(&loop_time, 7), clock_now(), 1000 * CLOCK_SECOND);
	replace_scanner(fixture, &wait, report);
	rig_run(fixture->rig, &wait.woken);
	scan_child(fixture);
	assert_int_equal(shown(fixture), 4);
	assert_false(process_table_shows(fixture->process_table, fixture->child, since));
	quota_of(&loop_time, 7)->credit = (int64_t)CLOCK_SECOND / 5;
	process_table_expire(fixture->process_table, clock_now());
	scan_child(fixture);
	assert_true(process_table_shows(fixture->process_table, fixture->child, since));
}

static void begin_another_child(struct fixture *fixture)
{
	end_child(fixture);
	fixture->child = fork();
	if (!fixture->child)
		for (;;)
			pause();
}

/* Another process has got the pid, and the loop has not yet seen the end of the first one. */
static void a_process_that_has_ended_is_not_kept(void **state)
{
	struct fixture *fixture = *state;
	struct scan_report *report;
	struct wait wait;
	pid_t former = fixture->child;
	uint64_t number;
	char name[64];

	scan(fixture, four(fixture, FIRST));
	snprintf(name, sizeof(name), names[0], (int)former);
	number = mapping_number(find(fixture, names[0]));
	begin_another_child(fixture);
	report = four(fixture, NEXT);
	report->count = 1;
	report->pid = former;
	replace_scanner(fixture, &wait, report);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(shown(fixture), 1);
	assert_int_not_equal(mapping_number(catalog_find(fixture->rig->modules.catalog, name)),
			     number);
}

static void twice_in_a_row(void **state)
{
	struct fixture *fixture = *state;
	struct wait wait;
	uint64_t number;

	scan(fixture, four(fixture, FIRST));
	number = mapping_number(find(fixture, names[2]));
	replace_scanner(fixture, &wait, four(fixture, NEXT));
	rig_run(fixture->rig, &wait.woken);
	replace_scanner(fixture, &wait, four(fixture, FIRST));
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(shown(fixture), 4);
	assert_int_equal(mapping_number(find(fixture, names[2])), number);
}

/* Without observing only known processes are scanned, and another scanner knows none at first. */
static void without_observing_all_are_scanned_once(void **state)
{
	struct fixture *fixture = *state;
	struct wait wait = {.waiter.wake = wake};
	unsigned scans;

	process_table_free(fixture->process_table);
	fixture->process_table = new_process_table(fixture, false);
	scan(fixture, four(fixture, FIRST));
	assert_int_equal(shown(fixture), 3);
	/* By a listing of pmem2ctl, */
	scans = fake.scan_queue[SCAN_ALL];
	replace_scanner(fixture, &wait, four(fixture, NEXT));
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.scan_queue[SCAN_ALL], scans + 1);
	assert_int_equal(shown(fixture), 3);
	scan(fixture, NULL);
	assert_int_equal(fake.scan_queue[SCAN_ALL], scans + 1);
	/* and by ls. */
	miss_something(fixture);
	wait = (struct wait){.waiter.wake = wake};
	fake.next = four(fixture, FIRST);
	assert_int_equal(process_table_scan(fixture->process_table, 0, &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.scan_queue[SCAN_ALL], scans + 2);
	assert_int_equal(shown(fixture), 3);
	miss_something(fixture);
	scan(fixture, NULL);
	assert_int_equal(fake.scan_queue[SCAN_ALL], scans + 3);
	assert_null(find(fixture, names[0]));
}

static void pass_table(struct fixture *fixture)
{
	const struct ucred who = {.pid = fixture->child, .uid = 1000};

	process_table_pass_table(fixture->process_table, &who,
				 (int)syscall(SYS_pidfd_open, fixture->child, 0),
				 open("/dev/null", O_RDONLY | O_CLOEXEC));
}

/* Begins again with scanners that cannot find tables by themselves. */
static void become_blind(struct fixture *fixture)
{
	process_table_free(fixture->process_table);
	fake.blind = true;
	fixture->process_table = new_process_table(fixture, true);
}

static void expect_tables(struct fixture *fixture, size_t count)
{
	struct wait wait;

	replace_scanner(fixture, &wait, NULL);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.tables, count);
	scan(fixture, NULL);
	assert_int_equal(fake.tables, count);
}

static void who_finds_tables_gets_none_again(void **state)
{
	struct fixture *fixture = *state;

	pass_table(fixture);
	scan(fixture, NULL);
	assert_int_equal(fake.tables, 1);
	expect_tables(fixture, 1);
}

/* Until its process has ended. */
static void a_passed_table_is_for_each_scanner(void **state)
{
	struct fixture *fixture = *state;

	become_blind(fixture);
	pass_table(fixture);
	expect_tables(fixture, 2);
	expect_tables(fixture, 3);
	begin_another_child(fixture);
	expect_tables(fixture, 3);
}

static void a_table_of_no_process_is_not_kept(void **state)
{
	struct fixture *fixture = *state;

	become_blind(fixture);
	fake.unwanted = true;
	pass_table(fixture);
	expect_tables(fixture, 1);
}

/* The next scanner gets what the stuck one has, and it again when no thread is stuck. */
static void a_table_of_a_scan_that_hangs(void **state)
{
	struct fixture *fixture = *state;
	uint64_t now = clock_now();
	struct scanner *stuck;
	struct wait wait = {0};

	become_blind(fixture);
	stuck = fake.newest;
	pass_table(fixture);
	stuck->stops = true;
	stuck->at = fixture->child;
	scan_for_user(fixture, &wait);
	for (int i = 1; fake.newest == stuck; i++)
		process_table_expire(fixture->process_table, now + (uint64_t)i * CLOCK_SECOND);
	scan(fixture, NULL);
	assert_int_equal(fake.tables, 1);
	sem_post(&stuck->go);
	while (fake.alive > 1 || fake.newest->skip->stuck_threads.stuck[0])
		rig_poll(fixture->rig);
	assert_int_equal(fake.tables, 2);
	scan(fixture, NULL);
	assert_int_equal(fake.tables, 3);
	scan(fixture, NULL);
	assert_int_equal(fake.tables, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_reported_again_stays, begin, end),
		cmocka_unit_test_setup_teardown(what_is_not_reported_again_goes, begin, end),
		cmocka_unit_test_setup_teardown(what_is_shown_anew_is_replaced, begin, end),
		cmocka_unit_test_setup_teardown(a_process_that_is_not_reported_goes, begin, end),
		cmocka_unit_test_setup_teardown(a_process_that_was_passed_over_stays, begin, end),
		cmocka_unit_test_setup_teardown(a_process_that_is_left_out_may_have_all, begin,
						end),
		cmocka_unit_test_setup_teardown(a_process_that_changes_its_user_stays, begin, end),
		cmocka_unit_test_setup_teardown(a_process_that_is_scanned_alone_goes, begin, end),
		cmocka_unit_test_setup_teardown(a_report_that_waits_decides_nothing, begin, end),
		cmocka_unit_test_setup_teardown(a_process_that_has_ended_is_not_kept, begin, end),
		cmocka_unit_test_setup_teardown(twice_in_a_row, begin, end),
		cmocka_unit_test_setup_teardown(without_observing_all_are_scanned_once, begin, end),
		cmocka_unit_test_setup_teardown(who_finds_tables_gets_none_again, begin, end),
		cmocka_unit_test_setup_teardown(a_passed_table_is_for_each_scanner, begin, end),
		cmocka_unit_test_setup_teardown(a_table_of_no_process_is_not_kept, begin, end),
		cmocka_unit_test_setup_teardown(a_table_of_a_scan_that_hangs, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
