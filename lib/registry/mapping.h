/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping.h - what is known of a mapping
 */
#ifndef PMEM2FS_LIB_REGISTRY_MAPPING_H
#define PMEM2FS_LIB_REGISTRY_MAPPING_H

#include "libpmem2fs.h"
#include <stdbool.h>

/*
 * What a record of the table holds, but for the label: the child of a fork fills its own table with
 * it.
 */
struct mapping_facts {
	uint64_t offset;
	uint64_t source_size;
	dev_t source_dev;
	dev_t source_rdev;
	ino_t source_inode;
	uint64_t created;
	uid_t uid; /* of has_owner */
	gid_t gid;
	uint32_t alignment;
	uint8_t source_type;
	uint8_t required;
	uint8_t sharing;
	uint8_t protection;
	bool has_owner; /* else the process owns it */
	bool map_sync;
	bool adopted; /* by pmem2_map_from_existing: the library never unmaps it */
	struct pmem2_vm_reservation *reservation; /* that contains it; NULL: none */
};

struct mapping_info {
	uintptr_t address;
	size_t length; /* bytes, not rounded to pages */
	enum pmem2_granularity granularity;
	struct mapping_facts facts;
};

#endif
