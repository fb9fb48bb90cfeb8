/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping_limits.c - see mapping_limits.h
 */
#include "change/mapping_limits.h"
#include "base/share.h"
#include "catalog/catalog.h"
#include <errno.h>
#include <stdio.h>

#define SURE_PART 512 /* a user is sure of one part in so many of the users' mappings */

int limits_check(const struct limits *limits, const struct catalog *catalog, uid_t uid,
		 char why[COMPLETION_WHY_LENGTH])
{
	struct catalog_totals totals = catalog_totals(catalog);
	size_t all = totals.entries + totals.reserved + totals.gaps;
	size_t users = limits->max > limits->root ? limits->max - limits->root : 0;
	const struct share share = {
		.total = limits->max,
		.root = limits->root,
		.user = limits->max_user,
		.sure = users < SURE_PART ? 1 : users / SURE_PART,
	};
	struct share_use use = {
		.uid = uid,
		.users = all - catalog_count_of(catalog, 0),
		.root = catalog_count_of(catalog, 0),
		.own = catalog_count_of(catalog, uid),
	};

	if (share_room(&share, &use))
		return 0;
	if (all >= limits->max) {
		snprintf(why, COMPLETION_WHY_LENGTH,
			 "all %u mappings are in use, gaps counted (option max=)", limits->max);
		return ENOSPC;
	}
	if (use.own >= limits->max_user) {
		snprintf(why, COMPLETION_WHY_LENGTH,
			 "user %u has %u mappings already, gaps counted (option max_user=)", uid,
			 limits->max_user);
		return EDQUOT;
	}
	snprintf(why, COMPLETION_WHY_LENGTH,
		 "user %u has %zu mappings, and most of the %zu that all users share are in use, "
		 "gaps counted (option max=)",
		 uid, use.own, users);
	return ENOSPC;
}
