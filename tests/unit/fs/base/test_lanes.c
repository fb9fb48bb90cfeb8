/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_lanes.c - threads that are left behind, and how long one has been at a process
 */
#include "base/clock.h"
#include "base/lanes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void nobody_is_stuck(void **state)
{
	struct lanes lanes = {0};

	(void)state;
	assert_false(lanes_is_stuck(&lanes, 5));
}

static void another_lane_goes_on(void **state)
{
	struct lanes lanes = {0};
	unsigned left;

	(void)state;
	left = lanes.now;
	assert_true(lanes_leave(&lanes, 5));
	assert_int_not_equal(lanes.now, left);
	assert_true(lanes.now < LANES_MAX);
	assert_true(lanes_is_stuck(&lanes, 5));
	assert_false(lanes_is_stuck(&lanes, 6));
	lanes_return(&lanes, left);
	assert_false(lanes_is_stuck(&lanes, 5));
}

/* One that was left is not used again before its thread is back. */
static void all_but_one_can_be_left(void **state)
{
	struct lanes lanes = {0};
	bool used[LANES_MAX] = {false};
	unsigned last;

	(void)state;
	for (pid_t pid = 1; pid < LANES_MAX; pid++) {
		assert_false(used[lanes.now]);
		used[lanes.now] = true;
		assert_true(lanes_leave(&lanes, pid));
	}
	last = lanes.now;
	assert_false(used[last]);
	assert_false(lanes_leave(&lanes, LANES_MAX));
	/* Everything is as it was. */
	assert_int_equal(lanes.now, last);
	assert_false(lanes_is_stuck(&lanes, LANES_MAX));
	for (pid_t pid = 1; pid < LANES_MAX; pid++)
		assert_true(lanes_is_stuck(&lanes, pid));
}

static void one_that_is_back_is_used_again(void **state)
{
	struct lanes lanes = {0};
	unsigned lane_of[LANES_MAX + 1];

	(void)state;
	for (pid_t pid = 1; pid < LANES_MAX; pid++) {
		lane_of[pid] = lanes.now;
		assert_true(lanes_leave(&lanes, pid));
	}
	lane_of[LANES_MAX] = lanes.now;
	lanes_return(&lanes, lane_of[3]);
	assert_int_equal(lanes.now, lane_of[LANES_MAX]); /* nothing is wrong with that one */
	assert_false(lanes_is_stuck(&lanes, 3));
	assert_true(lanes_is_stuck(&lanes, 4));
	assert_true(lanes_leave(&lanes, LANES_MAX));
	assert_int_equal(lanes.now, lane_of[3]);
	assert_true(lanes_is_stuck(&lanes, LANES_MAX));
	assert_false(lanes_leave(&lanes, 3));
}

/* Two threads may be stuck in one process: it is so until both are back. */
static void two_in_one_process(void **state)
{
	struct lanes lanes = {0};
	unsigned first = lanes.now, second;

	(void)state;
	assert_true(lanes_leave(&lanes, 5));
	second = lanes.now;
	assert_true(lanes_leave(&lanes, 5));
	lanes_return(&lanes, first);
	assert_true(lanes_is_stuck(&lanes, 5));
	lanes_return(&lanes, second);
	assert_false(lanes_is_stuck(&lanes, 5));
}

static void time_at_one_process(void **state)
{
	uint64_t now = 1000 * CLOCK_SECOND;
	struct progress progress = {.at = 9};

	(void)state;
	progress_begin(&progress, now);
	assert_true(progress.since == now && progress.checked == now && progress.at_since == now);
	assert_int_equal(progress.at, 0);
	/* Where it is counts from when it was seen there. */
	progress_see(&progress, 5, now + 10);
	assert_true(progress.at == 5 && progress.at_since == now + 10);
	progress_see(&progress, 5, now + 20);
	assert_true(progress.at_since == now + 10 && progress.checked == now + 20);
	progress_see(&progress, 6, now + 30);
	assert_true(progress.at == 6 && progress.at_since == now + 30);
	progress_see(&progress, 0, now + 40);
	assert_true(progress.at == 0 && progress.at_since == now + 40);
	progress_see(&progress, 6, now + 50);
	assert_true(progress.at_since == now + 50 && progress.checked == now + 50);
	assert_true(progress.since == now);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
