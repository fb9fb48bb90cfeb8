/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shown_mapping.h - a mapping of two pages in the catalog, and parts of it
 */
#ifndef PMEM2FS_TEST_SHOWN_MAPPING_H
#define PMEM2FS_TEST_SHOWN_MAPPING_H

#include "catalog_helper.h"

static const struct pmem2fs_record record = {
	.address = 0x10000,
	.length = 8192,
	.source_size = 10000,
	.source_dev = 77,
	.source_inode = 9,
	.uid = 1000,
	.gid = 100,
	.alignment = 4096,
	.source_type = PMEM2FS_SOURCE_FSDAX,
	.protection = 3,
};

static inline struct mapping *add(struct catalog *catalog, const char *name, uint32_t slot,
				  const struct pmem2fs_record *shown)
{
	struct mapping *mapping = NULL;

	assert_int_equal(catalog_reserve(catalog, name, shown->uid, &mapping), 0);
	assert_int_equal(catalog_show(catalog, mapping, slot, shown, NULL, &owner), 0);
	return mapping;
}

/* What is mapped of a mapping: [begin, end), nothing if it is empty. */
static inline struct extents *part(uint64_t begin, uint64_t end)
{
	struct extents *extents = extents_new();

	if (begin < end)
		assert_int_equal(extents_append(&extents, begin, end), 0);
	return extents;
}

#endif
