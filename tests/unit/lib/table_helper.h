/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table_helper.h - what the tests of tables share
 */
#ifndef PMEM2FS_TEST_TABLE_HELPER_H
#define PMEM2FS_TEST_TABLE_HELPER_H

#include "child.h"
#include "helper.h"
#include "registry/table_writer.h"

static inline unsigned count_slots(const struct pmem2fs_table *table)
{
	struct pmem2fs_record record;
	uint32_t slot = 0;
	uint32_t bad = 0;
	unsigned n = 0;

	while (pmem2fs_table_next(table, &slot, NULL, &record, &bad) == 0) {
		slot++;
		n++;
	}
	must(bad == 0);
	return n;
}

#endif
