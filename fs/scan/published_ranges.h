/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * published_ranges.h - what the tables of a process claim, as far as its areas confirm it
 *
 * A claim holds where the kernel's areas are of the file, and the place in it, that it names. No
 * two claims that hold share an address: of those that do, the one told first holds.
 */
#ifndef PMEM2FS_PUBLISHED_RANGES_H
#define PMEM2FS_PUBLISHED_RANGES_H

#include "base/extents.h"
#include "host/dax.h"
#include "host/maps.h"
#include "libpmem2fs.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct published_range {
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

struct published_ranges {
	const struct maps *maps;
	struct dax *dax;
	uid_t uid;
	gid_t gid;
	uint64_t seed;
	size_t asked; /* claims that were told, whether or not there is anything of them */
	size_t steps; /* areas that have been compared */
	size_t count, room;
	struct published_range *list; /* in the order in which they were told */
	size_t record_count, record_room;
	struct pmem2fs_record *records;
	size_t part_count;
	struct published_part *parts; /* what the claims that hold cover, by address */
};

/* Part of a claim: addresses that are taken. */
struct published_part {
	uint64_t begin, end;
	size_t claim;
};

/* What a record says, as one number. */
uint64_t published_ranges_digest(uint64_t seed, const struct pmem2fs_record *record);

void published_ranges_clear(struct published_ranges *claims);

/*
 * A claim is told; *claim is NULL where nothing of it is there. What the kernel knows better is
 * corrected in the record. -ENOMEM.
 */
int published_ranges_add(struct published_ranges *claims, struct pmem2fs_record *record,
			 struct published_range **claim);

/* Keeps the record of a claim. -ENOMEM. */
int published_ranges_keep_record(struct published_ranges *claims, struct published_range *claim,
				 const struct pmem2fs_record *record);

/* All have been told: refuses those whose addresses are taken, and fills `parts`. -ENOMEM. */
int published_ranges_settle(struct published_ranges *claims);

#endif
