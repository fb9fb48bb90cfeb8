/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * registry.h - the live mappings of this process, by token and by address
 */
#ifndef PMEM2FS_REGISTRY_H
#define PMEM2FS_REGISTRY_H

#include "libpmem2fs.h"

/* Everything but the label that a table record tells, so that a child of a fork can tell it too. */
struct mapping_facts {
	uint64_t offset;
	uint64_t source_size;
	dev_t source_dev;
	dev_t source_rdev;
	ino_t source_inode;
	uint64_t created;
	uid_t uid;
	gid_t gid;
	uint32_t alignment;
	uint8_t source_type;
	uint8_t required;
	uint8_t sharing;
	uint8_t protection;
	bool map_sync;
	bool adopted;   /* by pmem2_map_from_existing: not ours to unmap */
	bool displaced; /* the program unmapped it itself and something else is there now */
};

struct mapping {
	uintptr_t address;
	size_t length; /* bytes, not rounded to pages */
	enum pmem2_granularity granularity;
	struct mapping_facts facts;
};

/*
 * Enters a mapping, shows it in the table and makes its token. A registered mapping that overlaps
 * is an error for an adopted one; a mapping fresh from the kernel shows that the program unmapped
 * the other by itself, which becomes displaced.
 * Errors: PMEM2_E_MAP_EXISTS, -ENOMEM.
 */
int registry_add(const struct mapping *mapping, const char *label, size_t label_length,
		 struct pmem2_map **token);

/* Whether a registered mapping lies right before or behind a range. */
bool registry_touches(uintptr_t address, size_t length);

/*
 * Reads what the getters tell. Takes no lock and is safe with any pointer value. False: no such
 * object.
 */
bool registry_look(const struct pmem2_map *token, uintptr_t *address, size_t *length,
		   enum pmem2_granularity *granularity);

/*
 * Unmapping: claim takes the object from all others and its slot out of the table; then either
 * release ends it or restore makes everything as it was.
 */
int registry_claim(const struct pmem2_map *token, struct mapping *mapping);
void registry_release(const struct pmem2_map *token);
void registry_restore(const struct pmem2_map *token);

int registry_set_label(const struct pmem2_map *token, const char *label, size_t length);
int registry_table_slot(const struct pmem2_map *token, uint32_t *slot);
int registry_export_table(int *fd);

#endif
