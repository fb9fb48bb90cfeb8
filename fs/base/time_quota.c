/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * time_quota.c - see time_quota.h
 */
#include "base/time_quota.h"
#include "base/clock.h"
#include <search.h>
#include <stdlib.h>

#define SHARE      4 /* of the time that passes, a user gets one part in so many */
#define CREDIT_MAX ((int64_t)CLOCK_SECOND / 4)

static int by_uid(const void *a, const void *b)
{
	const struct user_quota *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

void quota_clear(struct quota *quota)
{
	tdestroy(quota->tree, free);
	*quota = (struct quota){0};
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
	user->credit = CREDIT_MAX;
	if (tsearch(user, &quota->tree, by_uid))
		return user;
	free(user);
	return NULL;
}

static void earn_credit(struct user_quota *user, uint64_t now)
{
	uint64_t earned = (now - user->at) / SHARE;

	if (earned > (uint64_t)(CREDIT_MAX - user->credit))
		user->credit = CREDIT_MAX;
	else
		user->credit += (int64_t)earned;
	user->at = now;
}

bool quota_has_credit(struct user_quota *user, uint64_t now)
{
	earn_credit(user, now);
	return user->uid == 0 || user->credit > 0;
}

void quota_charge(struct quota *quota, struct user_quota *user, uint64_t now, uint64_t spent)
{
	uint64_t until;

	if (user->uid == 0)
		return;
	earn_credit(user, now);
	user->credit -= (int64_t)spent;
	if (user->credit > 0)
		return;
	until = now + (uint64_t)-user->credit * SHARE + 1;
	if (until > quota->debts_until)
		quota->debts_until = until;
}
