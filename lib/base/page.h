/* SPDX-License-Identifier: BSD-3-Clause */
/* page.h - the size of the system's pages */
#ifndef PMEM2FS_LIB_BASE_PAGE_H
#define PMEM2FS_LIB_BASE_PAGE_H

#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

/*
 * The size in bytes. Cached, since every comparison of addresses needs it; relaxed order suffices,
 * because all threads store the same value.
 */
static inline size_t page_size(void)
{
	static _Atomic size_t known;
	size_t size = atomic_load_explicit(&known, memory_order_relaxed);

	if (!size) {
		size = (size_t)sysconf(_SC_PAGESIZE);
		atomic_store_explicit(&known, size, memory_order_relaxed);
	}
	return size;
}

static inline size_t page_round_up(size_t length)
{
	return (length + page_size() - 1) & ~(page_size() - 1);
}

#endif
