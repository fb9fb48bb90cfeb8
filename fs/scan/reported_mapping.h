/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reported_mapping.h - what scan reports have said of the mappings of one process
 *
 * What the next scan compares with: an entry for each mapping that is shown. Calls only base/.
 */
#ifndef PMEM2FS_SCAN_REPORTED_MAPPING_H
#define PMEM2FS_SCAN_REPORTED_MAPPING_H

#include "base/extents.h"
#include <stddef.h>
#include <stdint.h>

struct reported_mapping {
	uint64_t number;         /* of its scan events */
	uint64_t place;          /* published: slot; observed: address */
	uint64_t identity;       /* published: generation; observed: hash of file and offset */
	uint64_t digest;         /* of the record */
	uint64_t begin, end;     /* published: the addresses of its pages */
	struct extents *extents; /* owned */
};

/* By place. */
struct reported_mappings {
	size_t count;
	struct reported_mapping *list;
};

void reported_mappings_clear(struct reported_mappings *mappings);

/* The mapping with that place and that identity, or NULL. */
const struct reported_mapping *reported_mappings_find(const struct reported_mappings *mappings,
						      uint64_t place, uint64_t identity);

#endif
