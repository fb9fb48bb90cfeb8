/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * totals.c - see totals.h
 */
#include "catalog/totals.h"
#include <errno.h>
#include <stdlib.h>

struct user_total {
	struct user_total *next;
	uid_t uid;
	unsigned names, gaps;
};

static struct user_total *find_user(const struct totals *totals, uid_t uid)
{
	struct user_total *user = totals->users;

	while (user && user->uid != uid)
		user = user->next;
	return user;
}

int totals_add_name(struct totals *totals, uid_t uid)
{
	struct user_total *user = find_user(totals, uid);

	if (!user) {
		user = calloc(1, sizeof(*user));
		if (!user)
			return -ENOMEM;
		user->uid = uid;
		user->next = totals->users;
		totals->users = user;
	}
	user->names++;
	return 0;
}

void totals_remove_name(struct totals *totals, uid_t uid)
{
	struct user_total **at = &totals->users, *user;

	while ((*at)->uid != uid)
		at = &(*at)->next;
	user = *at;
	if (--user->names)
		return;
	*at = user->next;
	free(user);
}

/* `sign` is 1 or -1. */
static void count_version(struct totals *totals, const struct version *version, const uid_t *uid,
			  int sign)
{
	size_t gaps = version->extents && version->extents->count ? version->extents->count - 1 : 0;
	struct pmem2fs_record record;

	if (sign < 0)
		gaps = -gaps;
	version_record(version, &record);
	if (record.source_type == PMEM2FS_SOURCE_FSDAX ||
	    record.source_type == PMEM2FS_SOURCE_DEVDAX)
		totals->all.dax_changes++;
	if (!uid) {
		totals->all.foreign += (uint64_t)sign;
		return;
	}
	find_user(totals, *uid)->gaps += (unsigned)gaps;
	totals->all.gaps += gaps;
	totals->all.entries += (uint64_t)sign;
}

void totals_add_version(struct totals *totals, const struct version *version, const uid_t *uid)
{
	count_version(totals, version, uid, 1);
}

void totals_remove_version(struct totals *totals, const struct version *version, const uid_t *uid)
{
	count_version(totals, version, uid, -1);
}

unsigned totals_of_user(const struct totals *totals, uid_t uid)
{
	const struct user_total *user = find_user(totals, uid);

	return user ? user->names + user->gaps : 0;
}
