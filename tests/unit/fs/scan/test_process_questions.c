/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_process_questions.c - which processes a question has scanned, and when it need not wait
 */
#include "process_table_helper.h"

/* Between scans of all processes, tables are only asked whether they have changed. */
static void scans_what_has_changed(void **state)
{
	struct fixture *fixture = *state;
	struct wait wait = {.waiter.wake = wake};

	scan(fixture, news_new(fixture, 1, 1));
	assert_int_equal(process_table_scan(fixture->process_table, 0, &wait.waiter), 1);
	assert_int_equal(fake.asks, 1);
	assert_int_equal(fake.asked, 0);
	fake.changed = true;
	assert_int_equal(process_table_scan(fixture->process_table, 0, &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.scan_queue[SCAN_CHANGED], 1);
	assert_int_equal(fake.scan_queue[SCAN_KNOWN], 0);
	assert_int_equal(fake.scan_queue[SCAN_ALL], 1);
}

/* A process that has no mappings in the catalog may have a table nevertheless. */
static void scans_the_process_of_a_name_when_it_has_changed(void **state)
{
	struct fixture *fixture = *state;
	struct process_table *process_table = fixture->process_table;
	struct wait wait = {.waiter.wake = wake};
	char name[64];

	snprintf(name, sizeof(name), "x.%d.y", (int)fixture->child);
	scan(fixture, news_new(fixture, 1, 1));
	assert_int_equal(process_table_scan_name(process_table, 0, name, &wait.waiter), 1);
	assert_int_equal(fake.asked, fixture->child);
	assert_int_equal(process_table_scan_name(process_table, 0, "x.4711.y", &wait.waiter), 1);
	assert_int_equal(fake.asked, 4711);
	fake.changed = true;
	wait.woken = false;
	assert_int_equal(process_table_scan_name(process_table, 0, name, &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.scan_queue[SCAN_ONE], 1);
	assert_int_equal(fake.last_pid, fixture->child);
	wait.woken = false;
	assert_int_equal(process_table_scan_name(process_table, 0, "x.4711.y", &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.scan_queue[SCAN_ONE], 1);
	assert_int_equal(fake.scan_queue[SCAN_CHANGED], 1);
}

/* A scan that is under way may have passed the place of a change: another one follows. */
static void what_changes_during_a_scan(void **state)
{
	struct fixture *fixture = *state;
	struct process_table *process_table = fixture->process_table;
	struct wait waits[4] = {[0 ... 3] = {.waiter.wake = wake}};

	fake.newest->stops = true;
	scan_for_user(fixture, &waits[0]);
	assert_int_equal(process_table_scan(process_table, 0, &waits[1].waiter), 0);
	assert_int_equal(process_table_scan(process_table, 0, &waits[2].waiter), 0);
	assert_int_equal(process_table_scan_name(process_table, 0, "x.1.y", &waits[3].waiter), 0);
	assert_int_equal(fake.asks, 0); /* the thread has the scanner */
	fake.newest->stops = false;
	sem_post(&fake.newest->go);
	for (int i = 0; i < 4; i++)
		rig_run(fixture->rig, &waits[i].woken);
	assert_int_equal(fake.scan_queue[SCAN_ALL], 1);
	assert_int_equal(fake.scan_queue[SCAN_CHANGED], 1);
}

/* The time of the loop is the users': who has none left asks for nothing. */
static void a_user_without_time_gets_what_is_known(void **state)
{
	struct fixture *fixture = *state;
	struct process_table *process_table = fixture->process_table;
	struct wait wait = {.waiter.wake = wake};

	quota_charge(&loop_time, quota_of(&loop_time, 7), clock_now(), 1000 * CLOCK_SECOND);
	fake.changed = true;
	assert_int_equal(process_table_scan_name(process_table, 7, "x.4711.y", &wait.waiter), 1);
	/* A scan of all is made for the user as often as for others. */
	assert_int_equal(process_table_scan(process_table, 7, &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.scan_queue[SCAN_ALL], 1);
	assert_int_equal(process_table_scan(process_table, 7, &wait.waiter), 1);
	assert_int_equal(fake.heard, 0);
	assert_int_equal(fake.asks, 0);
	wait.woken = false;
	assert_int_equal(process_table_scan(process_table, 8, &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.heard, 1);
	assert_int_equal(fake.scan_queue[SCAN_CHANGED], 1);
}

/* What a library has said before the question is heard before it is answered. */
static void hears_before_it_asks(void **state)
{
	struct fixture *fixture = *state;
	struct process_table *process_table = fixture->process_table;
	struct wait wait = {.waiter.wake = wake};

	scan_for_user(fixture, &wait);
	assert_int_equal(fake.heard, 1);
	rig_run(fixture->rig, &wait.woken);
	process_table_scan(process_table, 0, NULL);
	assert_int_equal(fake.heard, 2);
	process_table_scan_name(process_table, 0, "x.4711.y", NULL);
	assert_int_equal(fake.heard, 3);
	process_table_scan_name(process_table, 0, "log", NULL); /* can be nobody's */
	assert_int_equal(fake.heard, 3);
}

/* Where it takes long, the thread does it. */
static void asks_in_the_thread_when_it_is_slow(void **state)
{
	struct fixture *fixture = *state;
	struct wait wait = {.waiter.wake = wake};

	scan(fixture, news_new(fixture, 1, 1));
	fake.ask_time = CLOCK_SECOND / 25;
	assert_int_equal(process_table_scan(fixture->process_table, 0, &wait.waiter), 1);
	assert_int_equal(fake.asks, 1);
	assert_int_equal(process_table_scan(fixture->process_table, 0, &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.asks, 1);
	assert_int_equal(fake.scan_queue[SCAN_ALL], 1);
	assert_int_equal(fake.scan_queue[SCAN_CHANGED], 1);
}

/* A scanner that has replaced another one knows no process whose tables could be asked. */
static void another_scanner_looks_at_all(void **state)
{
	struct fixture *fixture = *state;
	struct scan_report *report = news_new(fixture, 1, 1);
	struct wait wait = {.waiter.wake = wake};

	process_table_free(fixture->process_table);
	fixture->process_table = new_process_table(fixture, false);
	close(report->pidfd); /* its end cannot be watched: another scanner is to report it again */
	report->pidfd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	scan(fixture, report);
	assert_int_equal(fake.scan_queue[SCAN_KNOWN], 1);
	assert_int_equal(process_table_scan(fixture->process_table, 0, &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.scan_queue[SCAN_ALL], 1);
	assert_int_equal(fake.scan_queue[SCAN_CHANGED], 0);
	assert_int_equal(process_table_scan(fixture->process_table, 0, &wait.waiter), 1);
}

/* The scan of all has come to the process, or has passed it over; a scan of it alone comes to it.
 */
static void which_scan_has_found_a_process(void **state)
{
	struct fixture *fixture = *state;
	const struct process_table *process_table = fixture->process_table;
	const struct process *process;
	struct wait wait = {.waiter.wake = wake};
	uint64_t first = clock_now(), second;

	scan(fixture, news_new(fixture, 1, 1));
	process = mapping_process(find(fixture, "a_out.%d.0x10000"));
	assert_true(process_table_has_found(process_table, process, first));
	second = clock_now();
	assert_false(process_table_has_found(process_table, process, second));
	fake.passes_over = fixture->child;
	scan(fixture, NULL);
	assert_false(process_table_has_found(process_table, process, first));
	process_table_scan_pid(fixture->process_table, fixture->child, &wait.waiter);
	rig_run(fixture->rig, &wait.woken);
	assert_true(process_table_has_found(process_table, process, second));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(scans_what_has_changed, begin, end),
		cmocka_unit_test_setup_teardown(scans_the_process_of_a_name_when_it_has_changed,
						begin, end),
		cmocka_unit_test_setup_teardown(what_changes_during_a_scan, begin, end),
		cmocka_unit_test_setup_teardown(a_user_without_time_gets_what_is_known, begin, end),
		cmocka_unit_test_setup_teardown(hears_before_it_asks, begin, end),
		cmocka_unit_test_setup_teardown(another_scanner_looks_at_all, begin, end),
		cmocka_unit_test_setup_teardown(asks_in_the_thread_when_it_is_slow, begin, end),
		cmocka_unit_test_setup_teardown(which_scan_has_found_a_process, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
