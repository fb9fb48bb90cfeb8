/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_holding.c - requests of users wait only for a time while the directory is locked
 */
#include "base/clock.h"
#include "fuse/holding.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define LATER (CLOCK_SECOND / 10) /* as long as a wait may last */

static struct hold_up hold_up;
static struct holdings holdings;
static int woken;

static void wake(struct waiter *waiter)
{
	(void)waiter;
	woken++;
}

static struct waiter waiter = {.wake = wake};

static uid_t a_user(void)
{
	return geteuid() + 1000;
}

static struct waiter *begin_wait(uid_t uid)
{
	return holding_begin(&holdings, HOLD_UP_SCAN, uid, clock_now(), &waiter);
}

static int begin(void **state)
{
	(void)state;
	hold_up = (struct hold_up){0};
	holdings_begin(&holdings, &hold_up);
	woken = 0;
	return 0;
}

static void is_woken_by_what_it_waits_for(void **state)
{
	struct waiter *begun = begin_wait(a_user());

	(void)state;
	assert_non_null(begun);
	assert_true(holdings_expire(&holdings, 0) < UINT64_MAX);
	assert_int_equal(woken, 0);
	begun->wake(begun);
	assert_int_equal(woken, 1);
	assert_true(holdings_expire(&holdings, UINT64_MAX) == UINT64_MAX);
	assert_int_equal(woken, 1);
}

static void is_woken_in_time_and_not_twice(void **state)
{
	struct waiter *begun = begin_wait(a_user());

	(void)state;
	assert_true(holdings_expire(&holdings, clock_now() + LATER) == UINT64_MAX);
	assert_int_equal(woken, 1);
	begun->wake(begun);
	assert_int_equal(woken, 1);
}

/* The two waits of a request have one end. */
static void a_late_wait_of_a_request(void **state)
{
	uint64_t since = clock_now();

	(void)state;
	assert_null(holding_begin(&holdings, HOLD_UP_FACTS, a_user(), since - LATER, &waiter));
	holding_cancel(holding_begin(&holdings, HOLD_UP_FACTS, a_user(), since, &waiter), &waiter);
}

/*
 * A LOOKUP may wait for a scan and then for facts. The time for both counts from its begin, so it
 * ends before a LOOKUP that began while the first one waited for the scan.
 */
static void the_second_wait_of_a_request_ends_in_time(void **state)
{
	struct waiter *later, *second;
	uint64_t since;

	(void)state;
	do { /* again, if this took longer on a busy machine than a request may wait */
		since = clock_now() - LATER / 2;
		later = begin_wait(a_user());
		second = holding_begin(&holdings, HOLD_UP_FACTS, a_user() + 1, since, &waiter);
		if (!second)
			holding_cancel(later, &waiter);
	} while (!second);
	assert_true(holdings_expire(&holdings, 0) == since + LATER);
	assert_true(holdings_expire(&holdings, since + LATER) < UINT64_MAX);
	assert_int_equal(woken, 1);
	second->wake(second);
	assert_int_equal(woken, 1);
	later->wake(later);
	assert_int_equal(woken, 2);
}

static void a_wait_that_is_not_needed_costs_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		holding_cancel(begin_wait(a_user()), &waiter);
	assert_true(holdings_expire(&holdings, UINT64_MAX) == UINT64_MAX);
	assert_int_equal(woken, 0);
	holding_cancel(NULL, &waiter);
}

/* What one user has waited is not held against another one. */
static void who_has_waited_too_long_waits_no_more(void **state)
{
	struct waiter *begun[16];
	int count = 0;

	(void)state;
	while (count < 16 && (begun[count] = holding_begin(&holdings, HOLD_UP_FACTS, a_user(),
							   clock_now(), &waiter))) {
		holdings_expire(&holdings, clock_now() + LATER);
		count++;
	}
	assert_true(count > 0 && count < 16);
	assert_int_equal(woken, count);
	for (int i = 0; i < count; i++)
		begun[i]->wake(begun[i]);
	assert_int_equal(woken, count);
	/* Waits for scans are still allowed. */
	begun[0] = begin_wait(a_user());
	assert_non_null(begun[0]);
	begun[0]->wake(begun[0]);
	begun[0] = begin_wait(a_user() + 1);
	assert_non_null(begun[0]);
	begun[0]->wake(begun[0]);
}

/* A user's LOOKUPs and the rm of its mappings are charged to the same account. */
static void the_account_is_that_of_rm(void **state)
{
	uint64_t now = clock_now();
	struct waiter *begun;

	(void)state;
	hold_up_charge(&hold_up, HOLD_UP_RM, a_user(), now - 3 * CLOCK_SECOND, now);
	assert_null(begin_wait(a_user()));
	hold_up = (struct hold_up){0};
	begun = begin_wait(a_user());
	assert_true(holdings_expire(&holdings, now + 3 * CLOCK_SECOND) == UINT64_MAX);
	assert_int_equal(hold_up.count, 1);
	assert_int_equal(hold_up.list[0].uid, a_user());
	begun->wake(begun);
}

static void root_waits_as_long_as_it_takes(void **state)
{
	(void)state;
	assert_ptr_equal(begin_wait(0), &waiter);
	assert_ptr_equal(begin_wait(geteuid()), &waiter);
	holding_cancel(&waiter, &waiter);
	assert_true(holdings_expire(&holdings, UINT64_MAX) == UINT64_MAX);
	assert_int_equal(woken, 0);
}

static void a_short_wait_ends_soon_also_of_root(void **state)
{
	const uid_t uids[] = {0, geteuid(), a_user()};
	struct waiter *begun;
	uint64_t now;

	(void)state;
	for (int i = 0; i < 3; i++) {
		now = clock_now();
		begun = holding_begin_short(&holdings, HOLD_UP_FACTS, uids[i], &waiter);
		assert_non_null(begun);
		assert_ptr_not_equal(begun, &waiter);
		assert_true(holdings_expire(&holdings, now) <= clock_now() + LATER / 10);
		assert_int_equal(woken, i);
		assert_true(holdings_expire(&holdings, clock_now() + LATER / 10) == UINT64_MAX);
		assert_int_equal(woken, i + 1);
		begun->wake(begun);
		assert_int_equal(woken, i + 1);
	}
	assert_true(hold_up.count <= 1); /* of the user alone, if the machine was slow */
	hold_up_charge(&hold_up, HOLD_UP_RM, a_user(), now - 3 * CLOCK_SECOND, now);
	assert_null(holding_begin_short(&holdings, HOLD_UP_FACTS, a_user(), &waiter));
	begun = holding_begin_short(&holdings, HOLD_UP_FACTS, geteuid(), &waiter);
	holding_cancel(begun, &waiter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(is_woken_by_what_it_waits_for, begin),
		cmocka_unit_test_setup(is_woken_in_time_and_not_twice, begin),
		cmocka_unit_test_setup(a_late_wait_of_a_request, begin),
		cmocka_unit_test_setup(the_second_wait_of_a_request_ends_in_time, begin),
		cmocka_unit_test_setup(a_wait_that_is_not_needed_costs_nothing, begin),
		cmocka_unit_test_setup(who_has_waited_too_long_waits_no_more, begin),
		cmocka_unit_test_setup(the_account_is_that_of_rm, begin),
		cmocka_unit_test_setup(root_waits_as_long_as_it_takes, begin),
		cmocka_unit_test_setup(a_short_wait_ends_soon_also_of_root, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
