/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_hold_up.c - whose processes may make others wait
 */
#include "base/clock.h"
#include "change/hold_up.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW (1000 * CLOCK_SECOND)
#define UID 1000

static void two_seconds_and_then_a_fiftieth(void **state)
{
	struct hold_up hold_up = {0};
	uint64_t now = NOW;

	(void)state;
	assert_true(hold_up_may(&hold_up, HOLD_UP_RM, UID, now));
	hold_up_charge(&hold_up, HOLD_UP_RM, UID, now, now + CLOCK_SECOND);
	now += CLOCK_SECOND;
	assert_true(hold_up_may(&hold_up, HOLD_UP_RM, UID, now));
	hold_up_charge(&hold_up, HOLD_UP_RM, UID, now, now + CLOCK_SECOND);
	now += CLOCK_SECOND;
	assert_false(hold_up_may(&hold_up, HOLD_UP_RM, UID, now));
	hold_up_charge(&hold_up, HOLD_UP_RM, UID, now,
		       now + CLOCK_SECOND); /* others wait already */
	now += CLOCK_SECOND;
	assert_false(hold_up_may(&hold_up, HOLD_UP_RM, UID, now + 49 * CLOCK_SECOND));
	assert_true(hold_up_may(&hold_up, HOLD_UP_RM, UID, now + 51 * CLOCK_SECOND));
}

static void root_always_may(void **state)
{
	struct hold_up hold_up = {0};

	(void)state;
	for (uid_t uid = UID; uid < UID + 100; uid++)
		hold_up_charge(&hold_up, HOLD_UP_RM, uid, NOW, NOW + 3 * CLOCK_SECOND);
	hold_up_charge(&hold_up, HOLD_UP_RM, 0, NOW, NOW + 300 * CLOCK_SECOND);
	assert_true(hold_up_may(&hold_up, HOLD_UP_RM, 0, NOW + 300 * CLOCK_SECOND));
	assert_int_equal(hold_up.count, 100);
}

/* What one user has done is not held against another one, while there are not too many. */
static void each_for_itself(void **state)
{
	struct hold_up hold_up = {0};
	uint64_t now = NOW + 2 * CLOCK_SECOND;

	(void)state;
	for (uid_t uid = UID; uid < UID + 15; uid++) {
		assert_true(hold_up_may(&hold_up, HOLD_UP_RM, uid, now));
		hold_up_charge(&hold_up, HOLD_UP_RM, uid, NOW, now);
		assert_false(hold_up_may(&hold_up, HOLD_UP_RM, uid, now));
	}
	hold_up_charge(&hold_up, HOLD_UP_FACTS, UID + 15, now - CLOCK_SECOND / 10, now);
	assert_true(hold_up_may(&hold_up, HOLD_UP_FACTS, UID + 15, now));
}

/* When all debts together are large, only users without a debt may hold others up. */
static void who_owes_nothing_comes_first(void **state)
{
	struct hold_up hold_up = {0};
	uint64_t now = NOW + 2 * CLOCK_SECOND;

	(void)state;
	hold_up_charge(&hold_up, HOLD_UP_FACTS, UID, now - CLOCK_SECOND / 10, now);
	for (uid_t uid = UID + 1; uid < UID + 21; uid++)
		hold_up_charge(&hold_up, HOLD_UP_RM, uid, NOW, now);
	assert_false(hold_up_may(&hold_up, HOLD_UP_FACTS, UID, now));
	assert_true(hold_up_may(&hold_up, HOLD_UP_FACTS, UID + 21, now));
	assert_true(hold_up_may(&hold_up, HOLD_UP_FACTS, UID, now + 60 * CLOCK_SECOND));
}

static uint64_t all_debts(const struct hold_up *hold_up)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < hold_up->count; i++)
		all += hold_up->list[i].debt;
	return all;
}

/* In a full list the sum of all debts still counts every hold-up. */
static void more_users_than_places(void **state)
{
	struct hold_up hold_up = {0};
	uint64_t now = NOW + CLOCK_SECOND / 100;
	const unsigned users = 3 * HOLD_UP_USERS;

	(void)state;
	for (uid_t uid = UID; uid < UID + users; uid++)
		hold_up_charge(&hold_up, HOLD_UP_SCAN, uid, NOW, now);
	assert_int_equal(hold_up.count, HOLD_UP_USERS);
	assert_int_equal(all_debts(&hold_up), users * 50 * (now - NOW));
}

/* More than sixteen debts shrink by sixteen seconds a second in all. */
static void debts_shrink_together(void **state)
{
	struct hold_up hold_up = {0};
	uint64_t now = NOW + CLOCK_SECOND / 10, before;

	(void)state;
	for (uid_t uid = UID; uid < UID + 160; uid++)
		hold_up_charge(&hold_up, HOLD_UP_SCAN, uid, NOW, now);
	before = all_debts(&hold_up);
	for (int i = 0; i < 1000; i++) /* steps of less than a nanosecond for each add up */
		hold_up_may(&hold_up, HOLD_UP_SCAN, UID, now += 5);
	assert_int_equal(before - all_debts(&hold_up), 16 * 5000);
	hold_up_may(&hold_up, HOLD_UP_SCAN, UID, now += CLOCK_SECOND);
	assert_int_equal((before - all_debts(&hold_up)) / CLOCK_SECOND, 16);
	hold_up_may(&hold_up, HOLD_UP_SCAN, UID, now += 49 * CLOCK_SECOND);
	assert_int_equal(hold_up.count, 0);
}

struct attack {
	uid_t users;
	enum hold_up_kind kind;
	uint64_t length; /* of a hold-up */
	bool spared;     /* so few users that one without a debt may always hold others up */
};

/* Each of many users holds others up whenever it may. */
static void attack(const struct attack *attack)
{
	const uint64_t end = NOW + 200 * CLOCK_SECOND;
	struct hold_up hold_up = {0};
	uint64_t now = NOW, held_up = 0;

	while (now < end) {
		uint64_t before = held_up;

		for (uid_t uid = UID; uid < UID + attack->users; uid++) {
			if (attack->spared)
				assert_true(hold_up_may(&hold_up, attack->kind, UID - 1, now));
			if (!hold_up_may(&hold_up, attack->kind, uid, now))
				continue;
			hold_up_charge(&hold_up, attack->kind, uid, now, now + attack->length);
			now += attack->length;
			held_up += attack->length;
			assert_true(held_up <= 64 * CLOCK_SECOND + (now - NOW) / 3);
		}
		if (held_up == before)
			now += CLOCK_SECOND / 2;
	}
	assert_true(held_up >= 64 * CLOCK_SECOND);
}

static void many_users_together(void **state)
{
	static const struct attack attacks[] = {
		{300, HOLD_UP_FACTS, CLOCK_SECOND / 10, true},
		{300, HOLD_UP_SCAN, CLOCK_SECOND / 10, true},
		{50, HOLD_UP_RM, CLOCK_SECOND * 6 / 10, true},
		{30, HOLD_UP_RM, CLOCK_SECOND, true},
		{1000, HOLD_UP_SCAN, CLOCK_SECOND / 10, false},
		{1000, HOLD_UP_RM, CLOCK_SECOND, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++)
		attack(&attacks[i]);
}

/* The kinds in which a user has no time left, as bits. */
static int exhausted(struct hold_up *hold_up, uint64_t now)
{
	int bits = 0;

	for (int kind = HOLD_UP_FACTS; kind <= HOLD_UP_RM; kind++)
		bits |= !hold_up_may(hold_up, kind, UID, now) << kind;
	return bits;
}

/* Holds others up again and again, for a tenth of a second, until the user may no longer. */
static uint64_t exhaust(struct hold_up *hold_up, enum hold_up_kind kind, uint64_t now)
{
	while (hold_up_may(hold_up, kind, UID, now)) {
		hold_up_charge(hold_up, kind, UID, now, now + CLOCK_SECOND / 10);
		now += CLOCK_SECOND / 10;
	}
	return now;
}

static void one_account_for_all_kinds(void **state)
{
	struct hold_up hold_up = {0};
	uint64_t now = exhaust(&hold_up, HOLD_UP_RM, NOW);

	(void)state;
	assert_true(now - NOW <= 3 * CLOCK_SECOND);
	assert_int_equal(exhausted(&hold_up, now),
			 1 << HOLD_UP_FACTS | 1 << HOLD_UP_SCAN | 1 << HOLD_UP_RM);
}

/* A user may be made to wait by processes of somebody else, and still removes its mappings. */
static void lookups_leave_time_for_rm(void **state)
{
	struct hold_up hold_up = {0};
	uint64_t now = exhaust(&hold_up, HOLD_UP_FACTS, NOW);

	(void)state;
	assert_int_equal(exhausted(&hold_up, now), 1 << HOLD_UP_FACTS);
	now = exhaust(&hold_up, HOLD_UP_SCAN, now);
	assert_int_equal(exhausted(&hold_up, now), 1 << HOLD_UP_FACTS | 1 << HOLD_UP_SCAN);
}

/* Hold-ups of a user that overlap leave time for the other kinds, as a single one does. */
static void what_is_waited_at_once_counts_as_one_wait(void **state)
{
	struct hold_up hold_up = {0};
	uint64_t now = NOW + CLOCK_SECOND / 10;

	(void)state;
	for (int i = 0; i < 100; i++)
		hold_up_charge(&hold_up, HOLD_UP_FACTS, UID, NOW, now);
	assert_int_equal(exhausted(&hold_up, now), 1 << HOLD_UP_FACTS);
	for (int i = 0; i < 100; i++)
		hold_up_charge(&hold_up, HOLD_UP_SCAN, UID, NOW, now);
	assert_int_equal(exhausted(&hold_up, now), 1 << HOLD_UP_FACTS | 1 << HOLD_UP_SCAN);
}

/* A hold-up that seems to last an hour, since the daemon was stopped, is charged like the longest
 * one. */
static void what_ends_late_is_not_charged_without_end(void **state)
{
	struct hold_up hold_up = {0};
	uint64_t now = NOW + 3600 * CLOCK_SECOND;

	(void)state;
	hold_up_charge(&hold_up, HOLD_UP_FACTS, UID, NOW, now);
	assert_int_equal(exhausted(&hold_up, now), 1 << HOLD_UP_FACTS);
	now += 23 * CLOCK_SECOND;
	assert_int_equal(exhausted(&hold_up, now), 0);
	for (uid_t uid = UID; uid < UID + 10; uid++)
		hold_up_charge(&hold_up, HOLD_UP_RM, uid, NOW, now);
	assert_int_equal(exhausted(&hold_up, now + 200 * CLOCK_SECOND), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_seconds_and_then_a_fiftieth),
		cmocka_unit_test(root_always_may),
		cmocka_unit_test(each_for_itself),
		cmocka_unit_test(who_owes_nothing_comes_first),
		cmocka_unit_test(more_users_than_places),
		cmocka_unit_test(debts_shrink_together),
		cmocka_unit_test(many_users_together),
		cmocka_unit_test(one_account_for_all_kinds),
		cmocka_unit_test(lookups_leave_time_for_rm),
		cmocka_unit_test(what_is_waited_at_once_counts_as_one_wait),
		cmocka_unit_test(what_ends_late_is_not_charged_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
