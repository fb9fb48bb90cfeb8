/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_time_quota.c - the scanning time of each user
 */
#include "base/time_quota.h"
#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MS (CLOCK_SECOND / 1000)

static struct quota users;

static int end(void **state)
{
	(void)state;
	quota_clear(&users);
	return 0;
}

static void who_uses_his_time_up_waits(void **state)
{
	struct user_quota *user = quota_of(&users, 5), *another = quota_of(&users, 6);
	uint64_t now = 1000 * CLOCK_SECOND;

	(void)state;
	assert_ptr_equal(quota_of(&users, 5), user);
	assert_ptr_not_equal(another, user);
	assert_int_equal(user->uid, 5);
	assert_true(quota_has_credit(user, now));
	quota_charge(&users, user, now, 249 * MS);
	assert_true(quota_has_credit(user, now));
	assert_true(users.debts_until <= now);
	quota_charge(&users, user, now, 11 * MS);
	assert_false(quota_has_credit(user, now));
	assert_true(quota_has_credit(another, now));
	assert_true(users.debts_until > now + 39 * MS && users.debts_until < now + 41 * MS);
	assert_false(quota_has_credit(user, now + 39 * MS));
	assert_true(quota_has_credit(user, now + 41 * MS));
}

/*
 * In the long run a user gets at most a quarter of the time, and unused time adds up to a limit
 * only.
 */
static void a_quarter_of_the_time(void **state)
{
	struct user_quota *user = quota_of(&users, 5);
	uint64_t now = 1000 * CLOCK_SECOND, used = 0;

	(void)state;
	for (uint64_t end_at = now + 100 * CLOCK_SECOND; now < end_at; now += 10 * MS)
		if (quota_has_credit(user, now)) {
			quota_charge(&users, user, now, 10 * MS);
			used += 10 * MS;
		}
	assert_true(used >= 25 * CLOCK_SECOND && used <= 26 * CLOCK_SECOND);
}

static void root_has_all_the_time(void **state)
{
	struct user_quota *user = quota_of(&users, 0);

	(void)state;
	quota_charge(&users, user, CLOCK_SECOND, 1000 * CLOCK_SECOND);
	assert_true(quota_has_credit(user, CLOCK_SECOND));
	assert_int_equal(users.debts_until, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(who_uses_his_time_up_waits, end),
		cmocka_unit_test_teardown(a_quarter_of_the_time, end),
		cmocka_unit_test_teardown(root_has_all_the_time, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
