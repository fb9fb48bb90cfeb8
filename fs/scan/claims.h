/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * claims.h - what the tables of a process claim, as far as its areas confirm it
 *
 * A claim holds where the kernel's areas are of the file, and the place in it, that it names. No
 * two claims that hold share an address: of those that do, the one told first holds.
 */
#ifndef PMEM2FS_CLAIMS_H
#define PMEM2FS_CLAIMS_H

#include "base/extents.h"
#include "host/dax.h"
#include "host/maps.h"
#include "libpmem2fs.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct claim {
	uint64_t begin;
	uint64_t end;            /* of its pages */
	struct extents *extents; /* what is there; NULL: the whole */
	uint64_t generation;
	uint32_t slot;
	uint32_t table;  /* the caller's number of it */
	bool refused;    /* another one has its addresses */
	uint64_t digest; /* of the record as it was corrected */
	size_t record;   /* place among `records`; only where it was kept */
};

struct claims {
	const struct maps *maps;
	struct dax *dax;
	uid_t uid;
	gid_t gid;
	uint64_t seed;
	size_t asked; /* claims that were told, whether or not there is anything of them */
	size_t steps; /* areas that have been compared */
	size_t count, room;
	struct claim *list; /* in the order in which they were told */
	size_t record_count, record_room;
	struct pmem2fs_record *records;
	size_t part_count;
	struct claim_part *parts; /* what the claims that hold cover, by address */
};

/* Part of a claim: addresses that are taken. */
struct claim_part {
	uint64_t begin, end;
	size_t claim;
};

/* What a record says, as one number. */
uint64_t claims_digest(uint64_t seed, const struct pmem2fs_record *record);

void claims_clear(struct claims *claims);

/*
 * A claim is told; *claim is NULL where nothing of it is there. What the kernel knows better is
 * corrected in the record. -ENOMEM.
 */
int claims_add(struct claims *claims, struct pmem2fs_record *record, struct claim **claim);

/* Keeps the record of a claim. -ENOMEM. */
int claims_keep(struct claims *claims, struct claim *claim, const struct pmem2fs_record *record);

/* All have been told: refuses those whose addresses are taken, and fills `parts`. -ENOMEM. */
int claims_settle(struct claims *claims);

#endif
