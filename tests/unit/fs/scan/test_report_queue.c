/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_report_queue.c - whose reports are taken in, and in which order
 */
#include "base/clock.h"
#include "scan/report_queue.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct quota quota = {.share = 4};
static struct report_queue queue;

/* The processes of the reports that were taken in, in their order. */
static uint64_t taken[1000];
static size_t count;
static size_t large;    /* of reports with this count, only a portion is taken in at once */
static uid_t expensive; /* taking in anything of this user costs the user all time */

static bool take(void *arg, struct scan_report *report, size_t *room)
{
	assert_ptr_equal(arg, &queue);
	assert_true(*room > 0);
	if (report->uid && report->uid == expensive)
		quota_charge(&quota, quota_of(&quota, report->uid), clock_now(),
			     1000 * CLOCK_SECOND);
	if (report->taken < large) {
		report->taken += *room;
		*room = 0;
		return false;
	}
	taken[count++] = report->process;
	return true;
}

static int begin(void **state)
{
	(void)state;
	queue = (struct report_queue){.loop_time = &quota, .take = take, .arg = &queue};
	count = large = 0;
	expensive = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	report_queue_clear(&queue);
	quota_clear(&quota);
	return 0;
}

static struct scan_report *report_new(uint64_t process, uid_t uid, struct scan_report *next)
{
	struct scan_report *report = calloc(1, sizeof(*report));

	assert_non_null(report);
	report->process = process;
	report->pid = (pid_t)(1000 - process);
	report->uid = uid;
	report->pidfd = -1;
	report->next = next;
	return report;
}

static void work(void)
{
	while (report_queue_work(&queue))
		;
}

static void expect_taken(const uint64_t *processes, size_t wanted)
{
	assert_int_equal(count, wanted);
	assert_memory_equal(taken, processes, wanted * sizeof(*processes));
	count = 0;
}

static void users_take_turns(void **state)
{
	static const uint64_t turns[] = {1, 3, 5, 2, 4, 6};

	(void)state;
	assert_false(report_queue_work(&queue));
	assert_true(report_queue_due(&queue) == UINT64_MAX);
	report_queue_add(&queue, report_new(1, 5, report_new(2, 5, report_new(3, 6, NULL))));
	report_queue_add(&queue, report_new(4, 6, report_new(5, 0, report_new(6, 5, NULL))));
	assert_int_equal(report_queue_due(&queue), 0);
	work();
	expect_taken(turns, 6);
	assert_true(report_queue_due(&queue) == UINT64_MAX);
}

/*
 * The reports of a user without time keep their order, and those of other users do not wait for
 * them.
 */
static void who_has_no_time_waits(void **state)
{
	static const uint64_t others[] = {1, 3, 5}, own[] = {2, 4};
	uint64_t now = clock_now();

	(void)state;
	expensive = 5;
	report_queue_add(&queue, report_new(1, 5, report_new(2, 5, report_new(3, 6, NULL))));
	report_queue_add(&queue, report_new(4, 5, report_new(5, 6, NULL)));
	work();
	expect_taken(others, 3);
	assert_true(report_queue_due(&queue) > now + 1000 * CLOCK_SECOND);
	assert_true(report_queue_due(&queue) < UINT64_MAX);
	expensive = 0;
	quota_of(&quota, 5)->credit = (int64_t)CLOCK_SECOND / 5;
	work();
	expect_taken(own, 2);
}

static void root_always_has_time(void **state)
{
	static const uint64_t all[] = {1, 2};

	(void)state;
	quota_of(&quota, 0)->credit = -(int64_t)CLOCK_SECOND;
	report_queue_add(&queue, report_new(1, 0, report_new(2, 0, NULL)));
	work();
	expect_taken(all, 2);
}

/* Others come between the portions of a large report. */
static void a_large_report(void **state)
{
	static const uint64_t all[] = {2, 1};
	struct scan_report *first = report_new(1, 5, NULL), *second = report_new(2, 6, NULL);

	(void)state;
	large = 1000;
	second->taken = large;
	report_queue_add(&queue, first);
	report_queue_add(&queue, second);
	work();
	expect_taken(all, 2);
}

static void knows_who_waits(void **state)
{
	struct user_set users;

	(void)state;
	report_queue_add(&queue, report_new(1, 5, report_new(2, 5, report_new(3, 6, NULL))));
	assert_int_equal(report_queue_users(&queue, &users), 0);
	assert_int_equal(users.count, 2);
	assert_true(user_set_has(&users, 5) && user_set_has(&users, 6));
	assert_false(user_set_has(&users, 7));
	user_set_clear(&users);
	report_queue_clear(&queue);
	assert_int_equal(report_queue_users(&queue, &users), 0);
	assert_int_equal(users.count, 0);
	assert_false(user_set_has(&users, 5));
	assert_false(report_queue_work(&queue));
	/* It can be used again. */
	report_queue_add(&queue, report_new(7, 5, NULL));
	work();
	assert_int_equal(count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(users_take_turns, begin, end),
		cmocka_unit_test_setup_teardown(who_has_no_time_waits, begin, end),
		cmocka_unit_test_setup_teardown(root_always_has_time, begin, end),
		cmocka_unit_test_setup_teardown(a_large_report, begin, end),
		cmocka_unit_test_setup_teardown(knows_who_waits, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
