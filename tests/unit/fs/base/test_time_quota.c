/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_time_quota.c - the scanning time of each user, and its room for mappings
 */
#include "base/clock.h"
#include "base/time_quota.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MS   (CLOCK_SECOND / 1000)
#define MANY 10

static struct quota users = {.share = 4};

static int end(void **state)
{
	(void)state;
	quota_clear(&users);
	return 0;
}

static void a_user_without_time_waits(void **state)
{
	struct user_quota *user = quota_of(&users, 5), *another = quota_of(&users, 6);
	uint64_t now = 1000 * CLOCK_SECOND;

	(void)state;
	assert_ptr_equal(quota_of(&users, 5), user);
	assert_ptr_not_equal(another, user);
	assert_int_equal(user->uid, 5);
	assert_true(quota_has_credit(&users, user, now));
	quota_charge(&users, user, now, 249 * MS);
	assert_true(quota_has_credit(&users, user, now));
	assert_true(users.debts_until <= now);
	quota_charge(&users, user, now, 11 * MS);
	assert_false(quota_has_credit(&users, user, now));
	assert_true(quota_has_credit(&users, another, now));
	assert_true(users.debts_until > now + 39 * MS && users.debts_until < now + 41 * MS);
	assert_true(quota_due(&users, user) > now + 39 * MS &&
		    quota_due(&users, user) < now + 41 * MS);
	assert_false(quota_has_credit(&users, user, now + 39 * MS));
	assert_true(quota_has_credit(&users, user, now + 41 * MS));
}

/* What does not wait is charged while there is credit. So its user has credit again soon. */
static void what_cannot_wait_makes_no_large_debt(void **state)
{
	struct user_quota *user = quota_of(&users, 5);
	uint64_t now = 1000 * CLOCK_SECOND;

	(void)state;
	quota_charge_now(&users, user, now, 240 * MS);
	assert_true(quota_has_credit(&users, user, now));
	for (int i = 0; i < 1000; i++)
		quota_charge_now(&users, user, now, 20 * MS);
	assert_false(quota_has_credit(&users, user, now));
	assert_true(quota_has_credit(&users, user, now + 41 * MS));
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
		if (quota_has_credit(&users, user, now)) {
			quota_charge(&users, user, now, 10 * MS);
			used += 10 * MS;
		}
	assert_true(used >= 25 * CLOCK_SECOND && used <= 26 * CLOCK_SECOND);
}

/* However many users spend all that they get, half of the time is left, and each gets the same. */
static void many_users_share_the_time_of_two(void **state)
{
	uint64_t now = 1000 * CLOCK_SECOND, begun = now, all = 0, used[MANY] = {0};

	(void)state;
	while (now - begun < 100 * CLOCK_SECOND) {
		quota_tidy(&users, now);
		for (uid_t i = 0; i < MANY; i++) {
			struct user_quota *user = quota_of(&users, 5 + i);

			if (!quota_has_credit(&users, user, now))
				continue;
			quota_charge(&users, user, now, MS);
			used[i] += MS;
			all += MS;
		}
		now += 5 * MS;
	}
	assert_true(all > 45 * CLOCK_SECOND && all < 53 * CLOCK_SECOND);
	for (int i = 0; i < MANY; i++)
		assert_true(used[i] > all / MANY - CLOCK_SECOND &&
			    used[i] < all / MANY + CLOCK_SECOND);
}

/* A user who has made up for the time costs no memory, unless something of the user is known. */
static void who_spends_nothing_is_forgotten(void **state)
{
	uint64_t now = 1000 * CLOCK_SECOND;
	struct user_quota *user;

	(void)state;
	for (uid_t uid = 5; uid < 5 + MANY; uid++)
		quota_charge(&users, quota_of(&users, uid), now, MS);
	user = quota_of(&users, 7);
	quota_add(&users, user, QUOTA_PROCESSES, 1);
	quota_tidy(&users, now + CLOCK_SECOND);
	assert_int_equal(users.spenders, 0);
	assert_ptr_equal(quota_of(&users, 7), user);
	quota_remove(&users, user, QUOTA_PROCESSES, 1);
	quota_tidy(&users, now + 2 * CLOCK_SECOND);
	assert_null(users.tree);
}

static void root_has_all_the_time(void **state)
{
	struct user_quota *user = quota_of(&users, 0);

	(void)state;
	quota_charge(&users, user, CLOCK_SECOND, 1000 * CLOCK_SECOND);
	assert_true(quota_has_credit(&users, user, CLOCK_SECOND));
	assert_int_equal(users.debts_until, 0);
	assert_int_equal(quota_due(&users, user), 0);
}

/* The user whose daemon this is has all the time, as root has. */
static void a_daemons_own_user_has_all_the_time(void **state)
{
	uint64_t now = 1000 * CLOCK_SECOND;
	struct user_quota *user;

	(void)state;
	if (seteuid(5))
		skip();
	user = quota_of(&users, 5);
	quota_charge(&users, user, now, 500 * MS);
	assert_true(quota_has_credit(&users, user, now));
	assert_int_equal(seteuid(0), 0);
}

/* Users with as many as they may have keep neither root nor others out. */
static void leave_room_for_others(enum quota_kind kind)
{
	const struct share *share = &quota_shares[kind];
	struct user_quota *user, *root = quota_of(&users, 0);
	size_t room, sure = 0;
	char why[256];

	user = quota_of(&users, 1000);
	assert_int_equal(quota_room(&users, user, kind), share->user);
	for (uid_t uid = 1000; (room = quota_room(&users, user = quota_of(&users, uid), kind));
	     uid++) {
		sure += room >= share->sure;
		quota_add(&users, user, kind, room);
	}
	assert_true(sure >= share_users(share));
	quota_refusal(&users, user, kind, why, sizeof(why));
	assert_non_null(strstr(why, share->what));
	assert_int_equal(quota_room(&users, root, kind), share->root);
	quota_remove(&users, quota_of(&users, 1000), kind, 10);
	assert_int_equal(quota_room(&users, quota_of(&users, 1000), kind), 0);
	assert_int_equal(quota_room(&users, user, kind), 10);
}

static void many_leave_room_for_others(void **state)
{
	(void)state;
	leave_room_for_others(QUOTA_PROCESSES);
	leave_room_for_others(QUOTA_MAPPINGS);
	assert_int_equal(share_users(&quota_shares[QUOTA_PROCESSES]), 192);
	assert_int_equal(share_users(&quota_shares[QUOTA_MAPPINGS]), 187);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_user_without_time_waits, end),
		cmocka_unit_test_teardown(what_cannot_wait_makes_no_large_debt, end),
		cmocka_unit_test_teardown(a_quarter_of_the_time, end),
		cmocka_unit_test_teardown(many_users_share_the_time_of_two, end),
		cmocka_unit_test_teardown(who_spends_nothing_is_forgotten, end),
		cmocka_unit_test_teardown(root_has_all_the_time, end),
		cmocka_unit_test_teardown(a_daemons_own_user_has_all_the_time, end),
		cmocka_unit_test_teardown(many_leave_room_for_others, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
