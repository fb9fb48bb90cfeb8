/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * granularity.h - how much has to be flushed for a store to be persistent
 */
#ifndef PMEM2FS_LIB_SOURCE_GRANULARITY_H
#define PMEM2FS_LIB_SOURCE_GRANULARITY_H

#include "source/source.h"

/* The granularity of a mapping of `src`; `map_sync`: the kernel has granted MAP_SYNC. */
enum pmem2_granularity granularity_of(const struct pmem2_source *src,
				      enum pmem2_sharing_type sharing, bool map_sync);

const char *granularity_name(enum pmem2_granularity granularity);

#endif
