/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * observed_ranges.h - the mappings of persistent memory that are in no table
 *
 * Such a mapping is made of areas of one file that continue each other in address and offset and
 * are shared or private alike; their protections may differ. It ends where a published range
 * begins. Neighbours that two calls of mmap made are therefore one mapping here. Used by the thread
 * of the scanner.
 */
#ifndef PMEM2FS_SCAN_OBSERVED_RANGES_H
#define PMEM2FS_SCAN_OBSERVED_RANGES_H

#include "scan/published_ranges.h"

struct observed_range {
	uint64_t begin, end;
	uint64_t offset;
	uint64_t identity; /* hash of file and offset */
	struct dax_file file;
	uint8_t protection; /* of the first area */
	bool shared;
};

/* By address. */
struct observed_ranges {
	size_t count, room;
	struct observed_range *list;
};

/* In the areas that the published ranges, which are settled, were compared with. Returns 0 or
 * -ENOMEM. */
int observed_ranges_find(struct observed_ranges *observed,
			 const struct published_ranges *published);
void observed_ranges_clear(struct observed_ranges *observed);

/* The record of a range, with what nobody knows left 0. */
void observed_ranges_record(const struct observed_range *range,
			    const struct published_ranges *published,
			    struct pmem2fs_record *record);

#endif
