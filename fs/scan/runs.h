/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * runs.h - the mappings of persistent memory that no table tells of
 *
 * Such a mapping is a run of areas of one file that continue each other in address and offset,
 * alike in sharing; their protections may differ. Where claims hold it ends. What two calls of mmap
 * put side by side is therefore one mapping here.
 */
#ifndef PMEM2FS_RUNS_H
#define PMEM2FS_RUNS_H

#include "scan/published_ranges.h"

struct run {
	uint64_t begin, end;
	uint64_t offset;
	uint64_t identity; /* of file and offset, as one number */
	struct dax_file file;
	uint8_t protection; /* of the first area */
	bool shared;
};

/* By address. */
struct runs {
	size_t count, room;
	struct run *list;
};

/* Among the areas that the claims are compared with, once those are settled. -ENOMEM. */
int runs_find(struct runs *runs, const struct published_ranges *claims);
void runs_clear(struct runs *runs);

/* What is known of a run, as a record. */
void runs_record(const struct run *run, const struct published_ranges *claims,
		 struct pmem2fs_record *record);

#endif
