/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * published_ranges.h - the mappings in the tables of a process, as far as its areas confirm them
 *
 * A range is confirmed where the kernel's areas are of the file, and the place in it, that its
 * record names. No two ranges that hold share an address: of those that do, the one added first
 * holds, and the others are refused. Used by the thread of the scanner.
 */
#ifndef PMEM2FS_SCAN_PUBLISHED_RANGES_H
#define PMEM2FS_SCAN_PUBLISHED_RANGES_H

#include "base/extents.h"
#include "host/dax.h"
#include "host/proc_maps.h"
#include "libpmem2fs.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct published_range {
	uint64_t begin;
	uint64_t end;            /* of its pages */
	struct extents *extents; /* owned; what of it the areas confirm; NULL: all */
	uint64_t generation;
	uint32_t slot;
	uint32_t table;  /* the caller's number of the table */
	bool refused;    /* an earlier range has some of its addresses */
	uint64_t digest; /* of the corrected record */
	size_t record;   /* place in `records`, if it was kept */
};

/* The first five are set by the caller and borrowed; the rest begins as 0. */
struct published_ranges {
	const struct maps *maps;
	struct dax *dax;
	uid_t uid;
	gid_t gid;
	uint64_t seed;
	size_t seen;  /* records that were added, confirmed or not */
	size_t steps; /* comparisons of a record with an area so far */
	size_t count, room;
	struct published_range *list; /* in the order in which they were added */
	size_t record_count, record_room;
	struct pmem2fs_record *records;
	size_t part_count;
	struct published_part
		*parts; /* the addresses of the ranges that were not refused, in order */
};

/* Addresses that belong to a range. */
struct published_part {
	uint64_t begin, end;
	size_t range; /* place in `list` */
};

/* The hash of a record. */
uint64_t published_ranges_digest(uint64_t seed, const struct pmem2fs_record *record);

void published_ranges_clear(struct published_ranges *published);

/*
 * Adds the range of a record; *range is NULL if the areas confirm nothing of it. The record is
 * corrected where the kernel says otherwise. Returns 0 or -ENOMEM.
 */
int published_ranges_add(struct published_ranges *published, struct pmem2fs_record *record,
			 struct published_range **range);

/*
 * Adds a range that was confirmed before, without comparing it with the areas. Takes ownership of
 * its extents. Returns 0 or -ENOMEM.
 */
int published_ranges_recall(struct published_ranges *published,
			    const struct published_range *range);

/* Keeps the record of a range. Returns 0 or -ENOMEM. */
int published_ranges_keep_record(struct published_ranges *published, struct published_range *range,
				 const struct pmem2fs_record *record);

/* After the last one was added: refuses ranges and fills `parts`. Returns 0 or -ENOMEM. */
int published_ranges_settle(struct published_ranges *published);

#endif
