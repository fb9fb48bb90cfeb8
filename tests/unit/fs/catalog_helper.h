/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * catalog_helper.h - what the unit tests of the catalog share
 *
 * The state of a test is a catalog of its own.
 */
#ifndef PMEM2FS_TEST_CATALOG_HELPER_H
#define PMEM2FS_TEST_CATALOG_HELPER_H

#include "catalog/catalog.h"
#include "catalog/source_ranges.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct process_info owner = {.references = 1, .is = {.pid = 1}};

static inline int begin(void **state)
{
	*state = catalog_new(0);
	return !*state;
}

static inline int end(void **state)
{
	catalog_free(*state);
	return 0;
}

/* The number of bytes of DAX sources that are mapped. */
static inline uint64_t mapped_bytes(const struct catalog *catalog)
{
	struct source_ranges ranges = {0};
	uint64_t bytes;

	assert_int_equal(source_ranges_add_mapped(&ranges, catalog), 0);
	bytes = source_ranges_bytes(&ranges);
	free(ranges.list);
	return bytes;
}

#endif
