/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_share.c - who gets a place where places are few
 */
#include "base/share.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct share share = {
	.what = "places", .total = 100, .root = 20, .user = 30, .sure = 4}; /* 10 users */

#define USERS 50

static size_t taken[USERS]; /* by user; 0 is root */

static size_t room(uid_t uid)
{
	struct share_use use = {.uid = uid};

	for (uid_t i = 0; i < USERS; i++)
		share_count(&use, i, taken[i]);
	return share_room(&share, &use);
}

/*
 * Takes places one by one until the user gets none; there must be as many as share_room says at
 * first.
 */
static size_t take_all(uid_t uid)
{
	size_t before = taken[uid], may = room(uid);

	while (room(uid))
		taken[uid]++;
	assert_int_equal(taken[uid] - before, may);
	return may;
}

static int begin(void **state)
{
	(void)state;
	memset(taken, 0, sizeof(taken));
	return 0;
}

static void a_user_alone_gets_its_part(void **state)
{
	(void)state;
	assert_int_equal(take_all(1), 30);
	assert_int_equal(take_all(2), 10); /* then half of the 80 are taken */
	assert_int_equal(take_all(3), 4);
	assert_int_equal(take_all(0), 56);
	assert_int_equal(take_all(4), 0);
}

static void each_is_sure_of_some(void **state)
{
	size_t users = 0;

	(void)state;
	assert_int_equal(share_users(&share), 10);
	for (uid_t uid = 1; uid < USERS; uid++) {
		take_all(uid);
		users += taken[uid] >= share.sure;
	}
	assert_true(users >= share_users(&share));
	assert_int_equal(room(1), 0);
	assert_int_equal(take_all(0), share.root);
}

/* Those with many do not get back what they have given up; those with few get it. */
static void who_has_less_comes_first(void **state)
{
	(void)state;
	for (uid_t uid = 1; uid <= 12; uid++)
		take_all(uid);
	assert_int_equal(taken[12], 4);
	taken[1] -= 4;
	assert_int_equal(room(1), 0);
	assert_int_equal(take_all(13), 4);
}

/* When its own part is taken, root takes places of users that are free. */
static void root_takes_more(void **state)
{
	(void)state;
	taken[0] = 60;
	assert_int_equal(take_all(1), 4);
	assert_int_equal(take_all(0), 36);
	assert_int_equal(room(2), 0);
	taken[0] = 10; /* its part is left to it */
	assert_int_equal(take_all(1), 26);
}

static void says_why(void **state)
{
	struct share_use use = {.uid = 7, .users = 50, .own = 30};
	char why[100];

	(void)state;
	share_refusal(&share, &use, why, sizeof(why));
	assert_string_equal(why, "user 7 has 30 places, which is the limit");
	use.own = 5;
	share_refusal(&share, &use, why, sizeof(why));
	assert_string_equal(why, "user 7 has 5 places, and most of the 80 that all users share are "
				 "in use");
	use.uid = 0;
	share_refusal(&share, &use, why, sizeof(why));
	assert_string_equal(why, "all 100 places are in use");
}

/* A limit for one user that is lower than what each one is sure of. */
static void the_limit_of_a_user_holds(void **state)
{
	const struct share low = {.what = "", .total = 100, .root = 20, .user = 2, .sure = 4};
	struct share_use use = {.uid = 7};

	(void)state;
	assert_int_equal(share_room(&low, &use), 2);
	use.own = use.users = 2;
	assert_int_equal(share_room(&low, &use), 0);
	use.own = use.users = 3;
	assert_int_equal(share_room(&low, &use), 0);
}

static void root_and_the_daemons_user_are_not_limited(void **state)
{
	(void)state;
	assert_false(share_is_limited(0));
	assert_false(share_is_limited(geteuid()));
	assert_true(share_is_limited(geteuid() + 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_and_the_daemons_user_are_not_limited),
		cmocka_unit_test_setup(a_user_alone_gets_its_part, begin),
		cmocka_unit_test_setup(each_is_sure_of_some, begin),
		cmocka_unit_test_setup(who_has_less_comes_first, begin),
		cmocka_unit_test_setup(root_takes_more, begin),
		cmocka_unit_test_setup(says_why, begin),
		cmocka_unit_test_setup(the_limit_of_a_user_holds, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
