/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * observed_ranges.h - the mappings of persistent memory that no table tells of
 *
 * Such a mapping is a run of areas of one file that continue each other in address and offset,
 * alike in sharing; their protections may differ. Where claims hold it ends. What two calls of mmap
 * put side by side is therefore one mapping here.
 */
#ifndef PMEM2FS_OBSERVED_RANGES_H
#define PMEM2FS_OBSERVED_RANGES_H

#include "scan/published_ranges.h"

struct observed_range {
	uint64_t begin, end;
	uint64_t offset;
	uint64_t identity; /* of file and offset, as one number */
	struct dax_file file;
	uint8_t protection; /* of the first area */
	bool shared;
};

/* By address. */
struct observed_ranges {
	size_t count, room;
	struct observed_range *list;
};

/* Among the areas that the claims are compared with, once those are settled. -ENOMEM. */
int observed_ranges_find(struct observed_ranges *runs, const struct published_ranges *claims);
void observed_ranges_clear(struct observed_ranges *runs);

/* What is known of a run, as a record. */
void observed_ranges_record(const struct observed_range *run, const struct published_ranges *claims,
			    struct pmem2fs_record *record);

#endif
