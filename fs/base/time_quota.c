/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * time_quota.c - see time_quota.h
 */
#include "base/time_quota.h"
#include "base/clock.h"
#include "base/share.h"
#include <search.h>
#include <stdlib.h>

#define CREDIT_MAX  ((int64_t)CLOCK_SECOND / 4)
#define TIDY_PERIOD (CLOCK_SECOND / 10)
#define LITTLE      100 /* less than one part in so many of the time is not counted as spending */

const struct share quota_shares[QUOTA_KINDS] = {
	[QUOTA_PROCESSES] = {.what = "processes that map",
			     .total = 131072,
			     .root = 32768,
			     .user = 32768,
			     .sure = 256},
	[QUOTA_MAPPINGS] = {.what = "mappings",
			    .total = 1000000,
			    .root = 250000,
			    .user = 262144,
			    .sure = 2000},
};

static int by_uid(const void *a, const void *b)
{
	const struct user_quota *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

void quota_clear(struct quota *quota)
{
	tdestroy(quota->tree, free);
	quota->tree = NULL;
	quota->debts_until = 0;
	quota->spenders = 0;
}

struct user_quota *quota_of(struct quota *quota, uid_t uid)
{
	struct user_quota wanted = {.uid = uid}, *user;
	void *node = tfind(&wanted, &quota->tree, by_uid);

	if (node)
		return *(struct user_quota **)node;
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	user->free = !share_is_limited(uid);
	user->credit = CREDIT_MAX;
	if (tsearch(user, &quota->tree, by_uid))
		return user;
	free(user);
	return NULL;
}

/* So many users share the time of two. */
static unsigned spenders(const struct quota *quota)
{
	return quota->spenders > 2 ? quota->spenders : 2;
}

static int64_t credit_max(const struct quota *quota)
{
	return CREDIT_MAX * 2 / spenders(quota);
}

/* How long it takes to earn so much. */
static uint64_t time_to_earn(const struct quota *quota, uint64_t credit)
{
	return credit * quota->share * spenders(quota) / 2;
}

static void earn_credit(const struct quota *quota, struct user_quota *user, uint64_t now)
{
	int64_t most = credit_max(quota);
	uint64_t earned;

	if (now > user->at) { /* or it was measured before the user was charged last */
		earned = (now - user->at) * 2 / quota->share / spenders(quota);
		user->credit = earned > (uint64_t)(most + CREDIT_MAX - user->credit)
				       ? most
				       : user->credit + (int64_t)earned;
		user->at = now;
	}
	if (user->credit > most)
		user->credit = most;
}

bool quota_has_credit(const struct quota *quota, struct user_quota *user, uint64_t now)
{
	earn_credit(quota, user, now);
	return user->free || user->credit > 0;
}

void quota_charge(struct quota *quota, struct user_quota *user, uint64_t now, uint64_t spent)
{
	uint64_t until;

	if (user->free)
		return;
	earn_credit(quota, user, now);
	user->credit -= (int64_t)spent;
	user->spent += spent;
	until = quota_due(quota, user);
	if (until > quota->debts_until)
		quota->debts_until = until;
}

void quota_charge_now(struct quota *quota, struct user_quota *user, uint64_t now, uint64_t spent)
{
	if (quota_has_credit(quota, user, now))
		quota_charge(quota, user, now, spent);
}

struct tidying {
	struct quota *quota;
	uint64_t now, little;
	unsigned spenders;
	struct user_quota *idle; /* those to be forgotten */
};

static void tidy_user(const void *node, VISIT visit, void *arg)
{
	struct user_quota *user = *(struct user_quota *const *)node;
	struct tidying *tidying = arg;
	size_t taken = 0;

	if (visit != postorder && visit != leaf)
		return;
	earn_credit(tidying->quota, user, tidying->now);
	tidying->spenders +=
		user->spent > tidying->little || user->credit < credit_max(tidying->quota) / 2;
	user->spent = 0;
	if (user->credit < credit_max(tidying->quota))
		return;
	for (int kind = 0; kind < QUOTA_KINDS; kind++)
		taken += user->taken[kind];
	if (taken)
		return;
	user->next_idle = tidying->idle;
	tidying->idle = user;
}

void quota_tidy(struct quota *quota, uint64_t now)
{
	uint64_t passed = now - quota->tidied;
	struct tidying tidying = {.quota = quota, .now = now, .little = passed / LITTLE};
	struct user_quota *user;

	if (passed < TIDY_PERIOD)
		return;
	quota->tidied = now;
	twalk_r(quota->tree, tidy_user, &tidying);
	quota->spenders = tidying.spenders;
	while ((user = tidying.idle)) {
		tidying.idle = user->next_idle;
		tdelete(user, &quota->tree, by_uid);
		free(user);
	}
}

void quota_add(struct quota *quota, struct user_quota *user, enum quota_kind kind, size_t count)
{
	quota->taken[kind] += count;
	user->taken[kind] += count;
}

void quota_remove(struct quota *quota, struct user_quota *user, enum quota_kind kind, size_t count)
{
	quota->taken[kind] -= count;
	user->taken[kind] -= count;
}

static struct share_use use_of(struct quota *quota, const struct user_quota *user,
			       enum quota_kind kind)
{
	const struct user_quota *root = quota_of(quota, 0);
	size_t roots = root ? root->taken[kind] : 0;

	return (struct share_use){.uid = user->uid,
				  .users = quota->taken[kind] - roots,
				  .root = roots,
				  .own = user->taken[kind]};
}

size_t quota_room(struct quota *quota, const struct user_quota *user, enum quota_kind kind)
{
	const struct share_use use = use_of(quota, user, kind);

	return share_room(&quota_shares[kind], &use);
}

void quota_refusal(struct quota *quota, const struct user_quota *user, enum quota_kind kind,
		   char *why, size_t size)
{
	const struct share_use use = use_of(quota, user, kind);

	share_refusal(&quota_shares[kind], &use, why, size);
}

uint64_t quota_due(const struct quota *quota, const struct user_quota *user)
{
	if (user->free || user->credit > 0)
		return 0;
	return user->at + time_to_earn(quota, (uint64_t)-user->credit + 1);
}
