/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * totals.h - how many mappings the catalog has, in all and of each user
 *
 * Owned and kept up to date by the catalog. The names of a user count from the moment that they are
 * reserved, so that requests under way cannot exceed a limit together.
 */
#ifndef PMEM2FS_CATALOG_TOTALS_H
#define PMEM2FS_CATALOG_TOTALS_H

#include "catalog/document_version.h"
#include <stdint.h>
#include <sys/types.h>

struct catalog_totals {
	uint64_t entries, reserved; /* of the keeper */
	uint64_t gaps;              /* within what is mapped of them */
	uint64_t foreign;           /* of other processes */
	uint64_t dax_changes;       /* counts the changes of what is mapped of DAX sources */
};

struct totals {
	struct catalog_totals all;
	struct user_total *users; /* owned; those of the users that have a mapping of the keeper */
};

/* A mapping of the keeper has a name from now on, for that user. Returns 0 or -ENOMEM. */
int totals_add_name(struct totals *totals, uid_t uid);
void totals_remove_name(struct totals *totals, uid_t uid);

/*
 * A version of a mapping shows from now on, or no longer. `uid`: of the user whose name counts;
 * NULL for the mapping of another process.
 */
void totals_add_version(struct totals *totals, const struct version *version, const uid_t *uid);
void totals_remove_version(struct totals *totals, const struct version *version, const uid_t *uid);

/* The names of a user and the gaps in its mappings. */
unsigned totals_of_user(const struct totals *totals, uid_t uid);

#endif
