/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * user_set.h - a set of users, made at once and then only asked
 *
 * Owns its list.
 */
#ifndef PMEM2FS_SCAN_USER_SET_H
#define PMEM2FS_SCAN_USER_SET_H

#include "base/array.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>

/* All zero at first. */
struct user_set {
	uid_t *list;
	size_t count, room;
};

static inline int user_set_compare(const void *a, const void *b)
{
	uid_t x = *(const uid_t *)a, y = *(const uid_t *)b;

	return (x > y) - (x < y);
}

/* Returns 0 or -ENOMEM. */
static inline int user_set_add(struct user_set *set, uid_t uid)
{
	if (array_reserve(set->list, &set->room, set->count + 1, 16))
		return -ENOMEM;
	set->list[set->count++] = uid;
	return 0;
}

/* After the last one was added. */
static inline void user_set_sort(struct user_set *set)
{
	if (set->count)
		qsort(set->list, set->count, sizeof(*set->list), user_set_compare);
}

static inline bool user_set_has(const struct user_set *set, uid_t uid)
{
	return set->count &&
	       bsearch(&uid, set->list, set->count, sizeof(*set->list), user_set_compare);
}

static inline void user_set_clear(struct user_set *set)
{
	free(set->list);
	*set = (struct user_set){0};
}

#endif
