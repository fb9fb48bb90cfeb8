/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * share.h - how users share places of which there are few
 *
 * Calls libc only; owns no data. All limits that users share follow one rule, so that none of them
 * can keep the others out:
 *
 *   Root may take any place that is free. The last `root` places are left to it; the others are
 *   the users'.
 *   A user may have up to `user` places while more than half of the users' places are free, and up
 *   to `sure` while any of them is.
 *
 * So a user that has few places gets another one where a user that has many gets none, and each
 * user is sure of `sure` places unless share_users() others or more have taken theirs. With more
 * users than that, the first ones to come get them. No number of places is enough for any number
 * of users, and a user name space gives one person thousands of them: only root's part is safe from
 * everybody.
 */
#ifndef PMEM2FS_BASE_SHARE_H
#define PMEM2FS_BASE_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Whether others must be kept from the user's harm: not root, and not the daemon's own user. */
bool share_is_limited(uid_t uid);

struct share {
	const char *what; /* the name of the places, for messages */
	size_t total;     /* places */
	size_t root;      /* of these, what is left to root */
	size_t user;      /* for one user other than root */
	size_t sure;      /* of these, what each user is sure of */
};

/* The places that are taken, for a user who wants one. Begins with the user alone. */
struct share_use {
	uid_t uid;
	size_t users, root; /* taken by users other than root, and by root */
	size_t own;         /* taken by that user */
};

/* Counts places that are taken. */
static inline void share_count(struct share_use *use, uid_t holder, size_t places)
{
	*(holder ? &use->users : &use->root) += places;
	if (holder == use->uid)
		use->own += places;
}

/* How many more places the user may take. */
size_t share_room(const struct share *share, const struct share_use *use);

/* How many users can take the places that they are sure of. */
size_t share_users(const struct share *share);

/* Why the user may take no more, for messages. */
void share_refusal(const struct share *share, const struct share_use *use, char *why, size_t size);

#endif
