/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_stuck_threads.c - threads that are left behind, and how long one has been at a process
 */
#include "base/clock.h"
#include "base/stuck_threads.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool is_left_out(const struct stuck_threads *stuck_threads, pid_t pid)
{
	return stuck_threads_leave_out(stuck_threads, pid, 0);
}

static void nobody_is_stuck(void **state)
{
	struct stuck_threads stuck_threads = {0};

	(void)state;
	assert_false(stuck_threads_any(&stuck_threads));
	assert_false(is_left_out(&stuck_threads, 5));
}

static void another_lane_goes_on(void **state)
{
	struct stuck_threads stuck_threads = {0};
	unsigned left;

	(void)state;
	left = stuck_threads.now;
	assert_true(stuck_threads_leave(&stuck_threads, 5, 0, ""));
	assert_int_not_equal(stuck_threads.now, left);
	assert_true(stuck_threads.now < STUCK_THREADS_MAX);
	assert_true(is_left_out(&stuck_threads, 5));
	assert_false(is_left_out(&stuck_threads, 6));
	stuck_threads_return(&stuck_threads, left);
	assert_false(is_left_out(&stuck_threads, 5));
}

/* A lane that was left is not used again before its thread is back. */
static void all_but_one_can_be_left(void **state)
{
	struct stuck_threads stuck_threads = {0};
	bool used[STUCK_THREADS_MAX] = {false};
	unsigned last;

	(void)state;
	for (pid_t pid = 1; pid < STUCK_THREADS_MAX; pid++) {
		assert_false(used[stuck_threads.now]);
		used[stuck_threads.now] = true;
		assert_true(stuck_threads_leave(&stuck_threads, pid, 0, ""));
	}
	last = stuck_threads.now;
	assert_false(used[last]);
	assert_false(stuck_threads_leave(&stuck_threads, STUCK_THREADS_MAX, 0, ""));
	/* Everything is as it was. */
	assert_int_equal(stuck_threads.now, last);
	for (pid_t pid = 1; pid < STUCK_THREADS_MAX; pid++)
		assert_true(is_left_out(&stuck_threads, pid));
}

static void one_that_is_back_is_used_again(void **state)
{
	struct stuck_threads stuck_threads = {0};
	unsigned lane_of[STUCK_THREADS_MAX + 1];

	(void)state;
	for (pid_t pid = 1; pid < STUCK_THREADS_MAX; pid++) {
		lane_of[pid] = stuck_threads.now;
		assert_true(stuck_threads_leave(&stuck_threads, pid, 0, ""));
	}
	lane_of[STUCK_THREADS_MAX] = stuck_threads.now;
	stuck_threads_return(&stuck_threads, lane_of[3]);
	assert_int_equal(stuck_threads.now,
			 lane_of[STUCK_THREADS_MAX]); /* its thread is not stuck */
	assert_false(is_left_out(&stuck_threads, 3));
	assert_true(is_left_out(&stuck_threads, 4));
	assert_true(stuck_threads_leave(&stuck_threads, STUCK_THREADS_MAX, 0, ""));
	assert_int_equal(stuck_threads.now, lane_of[3]);
	assert_true(is_left_out(&stuck_threads, STUCK_THREADS_MAX));
	assert_false(stuck_threads_leave(&stuck_threads, 3, 0, ""));
}

/* Two threads may be stuck at one process, which counts as stuck until both are back. */
static void two_in_one_process(void **state)
{
	struct stuck_threads stuck_threads = {0};
	unsigned first = stuck_threads.now, second;

	(void)state;
	assert_true(stuck_threads_leave(&stuck_threads, 5, 0, ""));
	second = stuck_threads.now;
	assert_true(stuck_threads_leave(&stuck_threads, 5, 0, ""));
	stuck_threads_return(&stuck_threads, first);
	assert_true(is_left_out(&stuck_threads, 5));
	stuck_threads_return(&stuck_threads, second);
	assert_false(is_left_out(&stuck_threads, 5));
}

/*
 * A user may have some threads hang; then all processes of the user are left out, so that lanes
 * remain for others.
 */
static void a_user_has_a_limit(void **state)
{
	struct stuck_threads stuck_threads = {0};
	pid_t pid = 0;

	(void)state;
	for (size_t i = 0; i < stuck_threads_share.user; i++) {
		assert_false(stuck_threads_leave_out(&stuck_threads, 1000, 5));
		assert_true(stuck_threads_leave(&stuck_threads, ++pid, 5, ""));
	}
	assert_true(stuck_threads_any(&stuck_threads));
	assert_true(stuck_threads_leave_out(&stuck_threads, 1000, 5));
	for (uid_t uid = 6; !stuck_threads_leave_out(&stuck_threads, 1000, uid); uid++)
		while (!stuck_threads_leave_out(&stuck_threads, 1000, uid))
			assert_true(stuck_threads_leave(&stuck_threads, ++pid, uid, ""));
	assert_int_equal(pid, stuck_threads_share.total - stuck_threads_share.root);
	assert_int_equal(share_users(&stuck_threads_share), 28);
	for (size_t i = 0; i < stuck_threads_share.root; i++) {
		assert_false(is_left_out(&stuck_threads, 1000));
		assert_true(stuck_threads_leave(&stuck_threads, ++pid, 0, ""));
	}
	stuck_threads_return(&stuck_threads, 0);
	assert_false(stuck_threads_leave_out(&stuck_threads, 1000, 1000));
}

static void time_at_one_process(void **state)
{
	uint64_t now = 1000 * CLOCK_SECOND;
	struct progress progress = {.at = 9};

	(void)state;
	progress_begin(&progress, now);
	assert_true(progress.since == now && progress.checked == now && progress.at_since == now);
	assert_int_equal(progress.at, 0);
	/* The time at a process counts from the check that first found the thread there. */
	progress_check(&progress, 5, now + 10);
	assert_true(progress.at == 5 && progress.at_since == now + 10);
	progress_check(&progress, 5, now + 20);
	assert_true(progress.at_since == now + 10 && progress.checked == now + 20);
	progress_check(&progress, 6, now + 30);
	assert_true(progress.at == 6 && progress.at_since == now + 30);
	progress_check(&progress, 0, now + 40);
	assert_true(progress.at == 0 && progress.at_since == now + 40);
	progress_check(&progress, 6, now + 50);
	assert_true(progress.at_since == now + 50 && progress.checked == now + 50);
	assert_true(progress.since == now);
}

static void slow_and_then_stuck_at_one_process(void **state)
{
	uint64_t now = 1000 * CLOCK_SECOND;
	struct progress progress;

	(void)state;
	progress_begin(&progress, now);
	assert_true(progress_due(&progress) == now + CLOCK_SECOND / 2);
	assert_int_equal(progress_check(&progress, 5, now + CLOCK_SECOND), PROGRESS_NORMAL);
	assert_true(progress_due(&progress) == now + CLOCK_SECOND * 3 / 2);
	assert_int_equal(progress_check(&progress, 5, now + 3 * CLOCK_SECOND - 1), PROGRESS_NORMAL);
	assert_int_equal(progress_check(&progress, 5, now + 3 * CLOCK_SECOND), PROGRESS_SLOW);
	assert_int_equal(progress_check(&progress, 5, now + 5 * CLOCK_SECOND - 1), PROGRESS_SLOW);
	assert_int_equal(progress_check(&progress, 5, now + 5 * CLOCK_SECOND), PROGRESS_STUCK);
	/* The next process has all that time again. */
	assert_int_equal(progress_check(&progress, 6, now + 6 * CLOCK_SECOND), PROGRESS_NORMAL);
}

/* Work that is at no process can be slow, but there is no process to leave out. */
static void never_stuck_at_no_process(void **state)
{
	uint64_t now = 1000 * CLOCK_SECOND;
	struct progress progress;

	(void)state;
	progress_begin(&progress, now);
	assert_int_equal(progress_check(&progress, 0, now + 100 * CLOCK_SECOND), PROGRESS_SLOW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_stuck),
		cmocka_unit_test(another_lane_goes_on),
		cmocka_unit_test(all_but_one_can_be_left),
		cmocka_unit_test(one_that_is_back_is_used_again),
		cmocka_unit_test(two_in_one_process),
		cmocka_unit_test(time_at_one_process),
		cmocka_unit_test(slow_and_then_stuck_at_one_process),
		cmocka_unit_test(never_stuck_at_no_process),
		cmocka_unit_test(a_user_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
