/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping_limits.c - see mapping_limits.h
 */
#include "change/mapping_limits.h"
#include "catalog/catalog.h"
#include <errno.h>
#include <stdio.h>

int limits_check(const struct limits *limits, const struct catalog *catalog, uid_t uid,
		 char why[COMPLETION_WHY_LENGTH])
{
	struct catalog_totals totals = catalog_totals(catalog);

	if (totals.entries + totals.reserved + totals.gaps >= limits->max) {
		snprintf(why, COMPLETION_WHY_LENGTH,
			 "all %u mappings are in use, gaps counted (option max=)", limits->max);
		return ENOSPC;
	}
	if (uid && catalog_count_of(catalog, uid) >= limits->max_user) {
		snprintf(why, COMPLETION_WHY_LENGTH,
			 "user %u has %u mappings already, gaps counted (option max_user=)", uid,
			 limits->max_user);
		return EDQUOT;
	}
	return 0;
}
