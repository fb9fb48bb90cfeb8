/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping_limits.h - how many mappings the keeper may have
 *
 * Each gap within a mapping counts as one more: the kernel's own limit is on areas. Users share the
 * places by the rule of share.h: each of 256 is sure of one part in 512 of those that are not
 * root's. Reads the catalog.
 */
#ifndef PMEM2FS_CHANGE_MAPPING_LIMITS_H
#define PMEM2FS_CHANGE_MAPPING_LIMITS_H

#include "change/completion.h"
#include <sys/types.h>

struct catalog;

struct limits {
	unsigned max;      /* of all users */
	unsigned root;     /* of these, what is left to root */
	unsigned max_user; /* of each one but root */
};

/* Whether that user may have one more. Returns 0 or a positive errno, and why. */
int limits_check(const struct limits *limits, const struct catalog *catalog, uid_t uid,
		 char why[COMPLETION_WHY_LENGTH]);

#endif
