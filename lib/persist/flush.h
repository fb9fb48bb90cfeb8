/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flush.h - making stores persistent
 */
#ifndef PMEM2FS_LIB_PERSIST_FLUSH_H
#define PMEM2FS_LIB_PERSIST_FLUSH_H

#include "libpmem2.h"

/* The flush function of page granularity. */
void flush_pages(const void *address, size_t size);

/* The persist function of a granularity; cannot fail. */
pmem2_persist_fn flush_persist_fn(enum pmem2_granularity granularity);

#endif
