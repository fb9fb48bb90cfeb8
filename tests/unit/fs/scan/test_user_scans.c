/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_user_scans.c - whose scans are made, and when
 *
 * The test plays the queue of scans: it decides when a scan ends, and how long it took.
 */
#include "base/clock.h"
#include "scan/user_scans.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LONG (1000 * CLOCK_SECOND)

static struct scan_times times;
static struct waiter *waiter; /* of the scan that is requested */
static unsigned requests;
static int result; /* of the next request */

struct scan_times scan_queue_times(const struct scan_queue *scan_queue)
{
	(void)scan_queue;
	return times;
}

int scan_queue_request(struct scan_queue *scan_queue, enum scan_kind kind, pid_t pid,
		       struct waiter *new_waiter)
{
	(void)scan_queue;
	(void)pid;
	assert_int_equal(kind, SCAN_ALL);
	assert_null(waiter);
	requests++;
	if (!result)
		waiter = new_waiter;
	return result;
}

struct asked {
	struct user_scan user_scan; /* first */
	unsigned done;
	int error;
};

static struct user_scans user_scans;

static void done(struct user_scan *user_scan, int error)
{
	struct asked *asked = (struct asked *)user_scan;

	asked->done++;
	asked->error = error;
}

static int begin(void **state)
{
	(void)state;
	user_scans_begin(&user_scans, NULL, SCAN_ALL);
	times = (struct scan_times){0};
	waiter = NULL;
	requests = 0;
	result = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	user_scans_end(&user_scans);
	return 0;
}

static void ask(struct asked *asked, uid_t uid, uint64_t now)
{
	*asked = (struct asked){.user_scan = {.uid = uid, .done = done}};
	user_scans_add(&user_scans, &asked->user_scan, now);
}

/* A round of the loop. */
static uint64_t expire(uint64_t now)
{
	user_scans_expire(&user_scans, now);
	return user_scans_due(&user_scans);
}

/* The scan ends, and took that long. */
static void end_scan(uint64_t cost)
{
	struct waiter *woken = waiter;

	assert_non_null(woken);
	times.all = user_scans.requested;
	times.all_cost = cost;
	waiter = NULL;
	woken->wake(woken);
}

static void looks_share_a_scan(void **state)
{
	uint64_t now = clock_now();
	struct asked asked[4];

	(void)state;
	ask(&asked[0], 5, now);
	assert_int_equal(requests, 1);
	/* The scan that is under way may have passed the processes that these ask about. */
	for (int i = 1; i < 4; i++)
		ask(&asked[i], i == 2 ? 6 : 5, now);
	assert_int_equal(requests, 1);
	end_scan(0);
	assert_int_equal(asked[0].done, 1);
	assert_int_equal(requests, 2);
	assert_int_equal(asked[1].done, 0);
	end_scan(0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(asked[i].done, 1);
	assert_int_equal(requests, 2);
	assert_true(expire(now) == UINT64_MAX);
}

static void who_looks_too_much_waits(void **state)
{
	uint64_t now = clock_now(), due;
	struct asked asked[4];

	(void)state;
	ask(&asked[0], 5, now);
	end_scan(LONG);
	ask(&asked[0], 5, clock_now());
	ask(&asked[1], 5, clock_now());
	due = expire(clock_now());
	assert_int_equal(requests, 1);
	/* A tenth of the time. */
	assert_true(due > now + 9 * LONG && due < clock_now() + 11 * LONG);
	/* Other users do not wait, and those who wait share their scans. */
	ask(&asked[2], 6, clock_now());
	assert_int_equal(requests, 2);
	end_scan(LONG);
	for (int i = 0; i < 3; i++)
		assert_int_equal(asked[i].done, 1);
	ask(&asked[0], 5, clock_now());
	ask(&asked[1], 6, clock_now());
	assert_int_equal(requests, 2);
	due = expire(due - CLOCK_SECOND);
	assert_int_equal(requests, 2);
	expire(due);
	assert_int_equal(requests, 3);
	end_scan(0);
	assert_int_equal(asked[0].done, 1);
	assert_int_equal(asked[1].done, 1);
}

static void root_never_waits(void **state)
{
	struct asked root, user;

	(void)state;
	ask(&user, 5, clock_now());
	end_scan(LONG);
	for (unsigned i = 0; i < 3; i++) {
		ask(&root, 0, clock_now());
		assert_int_equal(requests, i + 2);
		end_scan(LONG);
		assert_int_equal(root.done, 1);
	}
	/* What root shares with a user is charged to neither. */
	ask(&root, 0, clock_now());
	ask(&user, 6, clock_now());
	ask(&root, 0, clock_now());
	end_scan(LONG);
	end_scan(LONG);
	ask(&user, 6, clock_now());
	assert_int_equal(requests, 7);
	end_scan(0);
}

/* A scan that takes too long is charged by the time that has passed so far. */
static void a_scan_that_is_late(void **state)
{
	struct asked asked;
	uint64_t now = clock_now();
	struct waiter *woken;

	(void)state;
	ask(&asked, 5, now - CLOCK_SECOND);
	times.all = now - 2 * CLOCK_SECOND; /* of the scan before */
	woken = waiter;
	waiter = NULL;
	woken->wake(woken);
	assert_int_equal(asked.done, 1);
	ask(&asked, 5, now);
	assert_int_equal(requests, 1);
	assert_true(expire(now) > now + 7 * CLOCK_SECOND);
}

static void out_of_memory(void **state)
{
	struct asked asked;

	(void)state;
	result = -ENOMEM;
	ask(&asked, 5, clock_now());
	assert_int_equal(asked.done, 1);
	assert_int_equal(asked.error, -ENOMEM);
	result = 0;
	ask(&asked, 5, clock_now());
	end_scan(0);
	assert_int_equal(asked.done, 1);
	assert_int_equal(asked.error, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(looks_share_a_scan, begin, end),
		cmocka_unit_test_setup_teardown(who_looks_too_much_waits, begin, end),
		cmocka_unit_test_setup_teardown(root_never_waits, begin, end),
		cmocka_unit_test_setup_teardown(a_scan_that_is_late, begin, end),
		cmocka_unit_test_setup_teardown(out_of_memory, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
