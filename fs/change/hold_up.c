/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hold_up.c - see hold_up.h
 */
#include "change/hold_up.h"
#include "change/completion.h"

#define PART 50 /* after its burst, a user may hold others up for 1/PART of the time */
#define FULL 16 /* so many users' debts shrink by a second each second */

static const struct {
	uint64_t burst;   /* of hold-ups at once, in nanoseconds */
	uint64_t longest; /* of one hold-up */
} kinds[] = {
	[HOLD_UP_FACTS] = {CLOCK_SECOND / 4, CLOCK_SECOND / 10},
	[HOLD_UP_SCAN] = {CLOCK_SECOND / 2, CLOCK_SECOND / 10},
	[HOLD_UP_RM] = {2 * CLOCK_SECOND, CLOSE_PATIENCE},
};

/* A user that owes as much as this may hold nobody up. */
static uint64_t limit(enum hold_up_kind kind)
{
	return (PART - 1) * kinds[kind].burst;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static unsigned place_of(const struct hold_up *hold_up, uid_t uid)
{
	unsigned place = 0;

	while (place < hold_up->count && hold_up->list[place].uid != uid)
		place++;
	return place;
}

static unsigned least_place(const struct hold_up *hold_up)
{
	unsigned least = 0;

	for (unsigned i = 1; i < hold_up->count; i++)
		if (hold_up->list[i].debt < hold_up->list[least].debt)
			least = i;
	return least;
}

static void reduce_debts(struct hold_up *hold_up, uint64_t by)
{
	for (unsigned i = 0; i < hold_up->count;) {
		hold_up->list[i].debt -= by;
		if (hold_up->list[i].debt)
			i++;
		else
			hold_up->list[i] = hold_up->list[--hold_up->count];
	}
}

/*
 * With more than FULL debts, the speed depends on how many there are. So the time is passed in
 * steps: a step ends when the smallest debt is paid.
 */
static void pass_time(struct hold_up *hold_up, uint64_t now)
{
	while (hold_up->count && hold_up->at < now) {
		uint64_t users = hold_up->count > FULL ? hold_up->count : FULL;
		uint64_t least = hold_up->list[least_place(hold_up)].debt;
		uint64_t by = lesser((now - hold_up->at) * FULL / users, least);

		if (!by)
			return; /* less than a nanosecond for each: that time is counted by a later
				   call */
		reduce_debts(hold_up, by);
		hold_up->at += (by * users + FULL - 1) / FULL;
	}
	if (hold_up->at < now)
		hold_up->at = now;
}

static uint64_t all_debts(const struct hold_up *hold_up)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < hold_up->count; i++)
		all += hold_up->list[i].debt;
	return all;
}

bool hold_up_may(struct hold_up *hold_up, enum hold_up_kind kind, uid_t uid, uint64_t now)
{
	uint64_t most = FULL * limit(HOLD_UP_RM);
	unsigned place;

	if (!uid)
		return true;
	pass_time(hold_up, now);
	place = place_of(hold_up, uid);
	if (place == hold_up->count)
		return all_debts(hold_up) < 2 * most;
	return hold_up->list[place].debt < limit(kind) && all_debts(hold_up) < most;
}

/* In a full list the user takes over the place with the smallest debt, and that debt. */
static unsigned take_place(struct hold_up *hold_up, uid_t uid)
{
	unsigned place = place_of(hold_up, uid);

	if (place == HOLD_UP_USERS) {
		place = least_place(hold_up);
	} else if (place == hold_up->count) {
		hold_up->count++;
		hold_up->list[place].debt = 0;
	}
	hold_up->list[place].uid = uid;
	return place;
}

void hold_up_charge(struct hold_up *hold_up, enum hold_up_kind kind, uid_t uid, uint64_t since,
		    uint64_t now)
{
	uint64_t one = PART * kinds[kind].longest;
	uint64_t debt, before;
	unsigned place;

	if (!uid || now <= since)
		return;
	pass_time(hold_up, now);
	place = take_place(hold_up, uid);
	before = hold_up->list[place].debt;
	debt = lesser(before, limit(kind) + one) + (now - since) * PART;
	debt = lesser(debt, limit(kind) + 2 * one);
	if (debt > before)
		hold_up->list[place].debt = debt;
}
