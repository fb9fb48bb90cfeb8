/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping.h - one active mapping under one name
 *
 * Owned by the catalog (catalog.h), which makes and frees it, gives it its name, number and
 * versions, and takes in facts. Of the rest, each part is changed by one module only, which is
 * named here; everybody may read. Used by the request loop alone.
 */
#ifndef PMEM2FS_CATALOG_MAPPING_H
#define PMEM2FS_CATALOG_MAPPING_H

#include "catalog/scan_state.h"
#include <stdbool.h>
#include <stdint.h>

struct mapping;
struct version;

const char *mapping_name(const struct mapping *mapping);
/* Never used again; the inode number of all its documents. */
uint64_t mapping_number(const struct mapping *mapping);
/* The current one; NULL: the name is only reserved, and nobody sees it. */
struct version *mapping_version(const struct mapping *mapping);
/* Of the keeper's mappings: the slot in its table. */
uint32_t mapping_slot(const struct mapping *mapping);
/* The process that has it; NULL: the keeper. */
struct process *mapping_process(const struct mapping *mapping);

/* clock_now() of the facts in its version; 0: they are to be read before they are shown. */
uint64_t mapping_checked(const struct mapping *mapping);
/* Something has happened to it that its facts do not say yet. For everybody. */
void mapping_set_unchecked(struct mapping *mapping);
/* Whether that is so, and facts of it have been read before. */
bool mapping_has_changed(const struct mapping *mapping);

/* facts/: its facts are being read, or are in the queue for that. */
bool mapping_is_queried(const struct mapping *mapping);
void mapping_set_queried(struct mapping *mapping, bool queried);
/* facts/: they were asked for, and not only read along with those of other mappings. */
bool mapping_is_awaited(const struct mapping *mapping);
void mapping_set_awaited(struct mapping *mapping, bool awaited);

/*
 * change/: the keeper unmaps it, or a part of it, or renames it. Until it is done, the catalog
 * takes in no facts about what is mapped of it.
 */
bool mapping_is_changing(const struct mapping *mapping);
void mapping_set_changing(struct mapping *mapping, bool changing);

/* scan/: the process table's. */
struct scan_state *mapping_scan_state(struct mapping *mapping);
struct mapping *scan_state_mapping(struct scan_state *state);

/*
 * change/: who waits for a mapping of another process to go. scan/ calls it, while the mapping is
 * still in the catalog.
 */
struct mapping_observer {
	/* It leaves the catalog after this call. */
	void (*leaving)(struct mapping_observer *observer);
	/*
	 * It leaves the catalog, too, but its process has not unmapped it: it will be shown as
	 * another mapping, or the process cannot be scanned.
	 */
	void (*replaced)(struct mapping_observer *observer);
};
/* Borrowed; NULL: nobody waits. There is one at most. */
struct mapping_observer *mapping_observer(const struct mapping *mapping);
void mapping_set_observer(struct mapping *mapping, struct mapping_observer *observer);

#endif
