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

struct mapping;

/*
 * change/: who waits for a mapping of another process to go. scan/ calls it, while the mapping is
 * still in the catalog.
 */
struct mapping_observer {
	/* It leaves the catalog after this call. */
	void (*leaving)(struct mapping_observer *observer);
	/* The same, but its process still has it, and shows it as another mapping. */
	void (*replaced)(struct mapping_observer *observer);
};
/* Borrowed; NULL: nobody waits. There is one at most. */
struct mapping_observer *mapping_observer(const struct mapping *mapping);
void mapping_set_observer(struct mapping *mapping, struct mapping_observer *observer);

#endif
