/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * overlaps.h - which mappings are of bytes that another process maps as well
 *
 * A group is a stretch of one source without a gap in what is mapped of it.
 */
#ifndef PMEM2FS_CTL_OVERLAPS_H
#define PMEM2FS_CTL_OVERLAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One range of a source that a mapping has. */
struct overlap {
	const char *const *fields; /* of the mapping, borrowed */
	const char *name, *dev;    /* two of them */
	bool node;                 /* dev is that of a device-DAX node */
	uint64_t inode;            /* 0 for a node */
	uint64_t start, end;
	uint64_t pid;
	bool shared; /* with another process */
	size_t group;
};

struct overlaps {
	struct overlap *list;
	size_t count, room;
};

/* Adds a mapping with its fields, up to GROUP_FIELDS of list_table.h, which are borrowed. */
void overlaps_add(struct overlaps *overlaps, const char *const *fields);

/*
 * Keeps only those that overlap, numbers their groups from 1 and sorts by these; a mapping is in a
 * group once.
 */
void overlaps_find(struct overlaps *overlaps);

void overlaps_clear(struct overlaps *overlaps);

#endif
