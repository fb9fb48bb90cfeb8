/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source_ranges.h - how much persistent memory is mapped, each byte counted once
 *
 * A list of ranges of sources. Ranges may overlap; their bytes count once. Owned by the caller;
 * used in any thread.
 */
#ifndef PMEM2FS_CATALOG_SOURCE_RANGES_H
#define PMEM2FS_CATALOG_SOURCE_RANGES_H

#include "catalog/catalog.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A range of a DAX node, which its device number identifies, or of a file with DAX. */
struct source_range {
	dev_t dev;      /* of the node, or of the file system of the file */
	uint64_t inode; /* of the file; 0: a node */
	uint64_t begin, end;
};

/* All zero at first; `list` is to be freed. */
struct source_ranges {
	size_t count, room;
	struct source_range *list;
};

/* Returns 0 or -ENOMEM, then nothing has changed. */
int source_ranges_add(struct source_ranges *ranges, const struct source_range *range);

/*
 * Adds what all mappings of the catalog map of DAX sources. Private mappings count, since a private
 * page is the source's until it is written to; lost mappings do not. Returns 0 or -ENOMEM.
 */
int source_ranges_add_mapped(struct source_ranges *ranges, const struct catalog *catalog);

/* How many bytes are in at least one range; UINT64_MAX at most. Sorts the list. */
uint64_t source_ranges_bytes(struct source_ranges *ranges);

#endif
