/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_large_reports.c - processes whose mappings take the loop much time: nobody waits for them
 */
#include "catalog/snapshot.h"
#include "process_table_helper.h"
#include <errno.h>
#include <sys/epoll.h>

#define CREDIT ((int64_t)CLOCK_SECOND / 5) /* that a user has */

/* A large report is handled in portions, so that other requests need not wait for all of it. */
static void hears_much_in_portions(void **state)
{
	struct fixture *fixture = *state;
	struct wait wait = {.waiter.wake = wake};
	unsigned rounds = 0;
	uint64_t before = 0;

	fake.next = news_new(fixture, 1, 5000);
	scan_for_user(fixture, &wait);
	while (!wait.woken) {
		rig_poll(fixture->rig);
		process_table_expire(fixture->process_table, clock_now());
		rounds += shown(fixture) != before;
		before = shown(fixture);
	}
	assert_int_equal(shown(fixture), 5000);
	assert_true(rounds > 1);

	/* The process ends in the middle of its report. */
	wait.woken = false;
	fake.next = more_news(fixture, 1, 5000);
	scan_for_user(fixture, &wait);
	while (shown(fixture) == 5000) {
		rig_poll(fixture->rig);
		process_table_expire(fixture->process_table, clock_now());
	}
	end_child(fixture);
	while (!wait.woken) {
		rig_poll(fixture->rig);
		process_table_expire(fixture->process_table, clock_now());
	}
	assert_int_equal(shown(fixture), 0);
	assert_true(process_table_complete(fixture->process_table));
}

/* The report of a user without time waits, and a scan does not wait for the report. */
static void a_user_without_time(void **state)
{
	struct fixture *fixture = *state;
	struct scan_report *report = news_new(fixture, 1, 3);

	report->uid = 7;
	quota_charge(&loop_time, quota_of(&loop_time, 7), clock_now(), 1000 * CLOCK_SECOND);
	scan(fixture, report);
	assert_int_equal(shown(fixture), 0);
	assert_int_equal(fake.behind, 0);
	assert_false(process_table_complete(fixture->process_table));
	assert_true(process_table_expire(fixture->process_table, clock_now()) >
		    clock_now() + CLOCK_SECOND);
	scan(fixture, NULL);
	assert_int_equal(fake.behind, 1);
	assert_true(fake.user_behind);
	assert_false(process_table_complete(fixture->process_table));
	quota_of(&loop_time, 7)->credit = (int64_t)CLOCK_SECOND / 5;
	process_table_expire(fixture->process_table, clock_now());
	assert_int_equal(shown(fixture), 3);
	assert_true(process_table_complete(fixture->process_table));
	scan(fixture, NULL);
	assert_int_equal(fake.behind, 0);
}

static void scan_child(struct fixture *fixture, struct scan_report *report)
{
	struct wait wait = {.waiter.wake = wake};

	fake.next = report;
	assert_int_equal(
		process_table_scan_pid(fixture->process_table, fixture->child, &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
}

/* process_table_shows is false for a process that was left out, and while its report waits. */
static void what_a_scan_shows(void **state)
{
	struct fixture *fixture = *state;
	struct process_table *process_table = fixture->process_table;
	struct scan_report *report;
	uint64_t since = clock_now();

	scan(fixture, news_new(fixture, 1, 1));
	assert_false(process_table_shows(process_table, fixture->child, since));
	scan_child(fixture, NULL);
	assert_true(process_table_shows(process_table, fixture->child, since));
	since = clock_now();
	assert_false(process_table_shows(process_table, fixture->child, since));
	fake.leaves_out = true;
	scan_child(fixture, NULL);
	assert_false(process_table_shows(process_table, fixture->child, since));
	fake.leaves_out = false;

	report = more_news(fixture, 1, 1);
	report->uid = 7;
	quota_charge(&loop_time, quota_of(&loop_time, 7), clock_now(), 1000 * CLOCK_SECOND);
	scan_child(fixture, report);
	assert_int_equal(shown(fixture), 1);
	assert_false(process_table_shows(process_table, fixture->child, since));
	quota_of(&loop_time, 7)->credit = CREDIT;
	process_table_expire(process_table, clock_now());
	assert_int_equal(shown(fixture), 2);
	assert_true(process_table_shows(process_table, fixture->child, since));
	end_child(fixture);
	while (shown(fixture))
		rig_poll(fixture->rig);
	assert_true(process_table_shows(process_table, fixture->child, since));
}

#define COUNT 30000

/*
 * Another process is reported with the pid of a process that had many mappings, whose end the loop
 * has not seen: nobody waits until all of these are removed.
 */
static void a_pid_is_used_again(void **state)
{
	struct fixture *fixture = *state;
	struct wait wait = {0};
	unsigned rounds = 0;
	uint64_t before;
	size_t place;

	fake.next = news_new(fixture, 1, COUNT);
	scan_for_user(fixture, &wait);
	while (!wait.woken) {
		rig_poll(fixture->rig);
		process_table_expire(fixture->process_table, clock_now());
	}
	assert_int_equal(shown(fixture), COUNT);
	wait.woken = false;
	fake.next = news_new(fixture, 2, 1);
	scan_for_user(fixture, &wait);
	for (before = COUNT; !wait.woken; before = shown(fixture)) {
		rig_poll(fixture->rig);
		process_table_expire(fixture->process_table, clock_now());
		rounds += shown(fixture) != before;
		if (shown(fixture) > 1 && shown(fixture) < COUNT)
			assert_null(catalog_after(fixture->rig->modules.catalog, 0, &place));
	}
	assert_int_equal(shown(fixture), 1);
	assert_non_null(catalog_after(fixture->rig->modules.catalog, 0, &place));
	assert_true(rounds > 1);
}

/* A process that had many mappings ends, which keeps nobody waiting, and costs its user time. */
static void a_large_process_ends(void **state)
{
	struct fixture *fixture = *state;
	struct scan_report *report = news_new(fixture, 1, COUNT);
	struct user_quota *user = quota_of(&loop_time, 7);
	struct wait wait = {0};
	struct epoll_event event;
	struct snapshot snapshot = {0};
	unsigned rounds = 0;
	size_t place;

	report->uid = 7;
	fake.next = report;
	scan_for_user(fixture, &wait);
	while (!wait.woken || shown(fixture) < COUNT) {
		user->credit = CREDIT;
		rig_poll(fixture->rig);
		process_table_expire(fixture->process_table, clock_now());
	}
	assert_int_equal(shown(fixture), COUNT);
	assert_true(user->spent > 0);
	user->spent = 0;
	end_child(fixture);
	for (; shown(fixture); rounds++) {
		struct watch *watch;

		user->credit = CREDIT;
		process_table_expire(fixture->process_table, clock_now());
		assert_int_equal(epoll_wait(fixture->rig->epoll, &event, 1, -1), 1);
		watch = event.data.ptr;
		watch->ready(watch, event.events);
		/* What is not removed yet is not found. */
		assert_null(catalog_after(fixture->rig->modules.catalog, 0, &place));
		assert_int_equal(snapshot_begin(&snapshot, fixture->rig->modules.catalog), 0);
		while (snapshot_work(&snapshot, fixture->rig->modules.catalog, 0) == -EAGAIN)
			;
		assert_int_equal(snapshot.count, 0);
		snapshot_clear(&snapshot, fixture->rig->modules.catalog);
	}
	assert_true(rounds > 1);
	assert_true(user->spent > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hears_much_in_portions, begin, end),
		cmocka_unit_test_setup_teardown(a_user_without_time, begin, end),
		cmocka_unit_test_setup_teardown(what_a_scan_shows, begin, end),
		cmocka_unit_test_setup_teardown(a_pid_is_used_again, begin, end),
		cmocka_unit_test_setup_teardown(a_large_process_ends, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
