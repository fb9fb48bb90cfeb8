/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flush.c - the functions that pmem2_get_persist_fn, _flush_fn and _drain_fn return
 *
 * Owns nothing. Calls cpu.c and the registry: only registered ranges may be passed to msync. The
 * functions cannot report an error: see flush_pages.
 */
#include "persist/flush.h"
#include "base/page.h"
#include "persist/cpu.h"
#include "registry/registry.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct flush_functions {
	pmem2_persist_fn persist;
	pmem2_flush_fn flush;
	pmem2_drain_fn drain;
};

static _Noreturn void abort_unsynced(uintptr_t begin, uintptr_t end, int error)
{
	fprintf(stderr,
		"libpmem2fs: cannot make 0x%zx-0x%zx persistent: msync: %s; nothing may go on as "
		"if "
		"it were\n",
		begin, end, strerror(error));
	abort();
}

static void sync_interval(uintptr_t begin, uintptr_t end)
{
	while (msync((void *)begin, end - begin, MS_SYNC)) {
		/* ENOMEM: another thread has unmapped it, so there is nothing to flush. */
		if (errno == ENOMEM)
			return;
		/*
		 * Device DAX has no pages to write back and rejects msync: its cache lines are
		 * flushed instead.
		 */
		if (errno == EINVAL && cpu_choice()->flush != FLUSH_NONE) {
			flush_persist_fn(PMEM2_GRANULARITY_CACHE_LINE)((void *)begin, end - begin);
			return;
		}
		if (errno != EINTR)
			abort_unsynced(begin, end, errno);
	}
}

/*
 * The caller relies on the data being safe when this returns. If msync fails it does not return:
 * the process aborts, as with libpmem2. Ranges that are not registered are skipped.
 */
void flush_pages(const void *address, size_t size)
{
	uintptr_t page_mask = page_size() - 1;
	uintptr_t from = (uintptr_t)address & ~page_mask;
	/* Keeps the sum from overflowing. */
	size_t left = UINTPTR_MAX - page_mask - (uintptr_t)address;
	uintptr_t end = ((uintptr_t)address + (size < left ? size : left) + page_mask) & ~page_mask;
	int saved_errno = errno;
	struct interval area;

	while (from < end && registry_find_interval(from, end, &area)) {
		uintptr_t begin = area.begin > from ? area.begin : from;

		from = area.end < end ? area.end : end;
		sync_interval(begin & ~page_mask, from);
	}
	errno = saved_errno;
}

static void drain_nothing(void)
{
}

static void drain_stores(void)
{
	cache_line_fence();
}

static void flush_nothing(const void *address, size_t size)
{
	(void)address;
	(void)size;
}

static void persist_nothing(const void *address, size_t size)
{
	(void)address;
	(void)size;
	cache_line_fence();
}

#define LINE_FUNCTIONS(suffix, how)                                                                \
	static void flush_##suffix(const void *address, size_t size)                               \
	{                                                                                          \
		cache_lines_flush(address, size, how);                                             \
	}                                                                                          \
	static void persist_##suffix(const void *address, size_t size)                             \
	{                                                                                          \
		cache_lines_flush(address, size, how);                                             \
		cache_line_fence();                                                                \
	}

#if defined(__x86_64__)
LINE_FUNCTIONS(clflush, FLUSH_CLFLUSH)
LINE_FUNCTIONS(clflushopt, FLUSH_CLFLUSHOPT)
LINE_FUNCTIONS(clwb, FLUSH_CLWB)
#elif defined(__aarch64__)
LINE_FUNCTIONS(cvac, FLUSH_CVAC)
LINE_FUNCTIONS(cvap, FLUSH_CVAP)
#endif

static const struct flush_functions by_bytes = {persist_nothing, flush_nothing, drain_stores};
static const struct flush_functions by_pages = {flush_pages, flush_pages, drain_nothing};
static const struct flush_functions by_lines[FLUSH_INSTRUCTIONS] = {
#if defined(__x86_64__)
	[FLUSH_CLFLUSH] = {persist_clflush, flush_clflush, drain_stores},
	[FLUSH_CLFLUSHOPT] = {persist_clflushopt, flush_clflushopt, drain_stores},
	[FLUSH_CLWB] = {persist_clwb, flush_clwb, drain_stores},
#elif defined(__aarch64__)
	[FLUSH_CVAC] = {persist_cvac, flush_cvac, drain_stores},
	[FLUSH_CVAP] = {persist_cvap, flush_cvap, drain_stores},
#else
	/* User space cannot flush the caches, the kernel can. */
	[FLUSH_NONE] = {flush_pages, flush_pages, drain_stores},
#endif
};

static const struct flush_functions *flush_functions_of(enum pmem2_granularity granularity)
{
	switch (granularity) {
	case PMEM2_GRANULARITY_BYTE:
		return &by_bytes;
	case PMEM2_GRANULARITY_CACHE_LINE:
		return &by_lines[cpu_choice()->flush];
	default:
		return &by_pages;
	}
}

pmem2_persist_fn flush_persist_fn(enum pmem2_granularity granularity)
{
	return flush_functions_of(granularity)->persist;
}

pmem2_persist_fn pmem2_get_persist_fn(struct pmem2_map *map)
{
	return flush_functions_of(pmem2_map_get_store_granularity(map))->persist;
}

pmem2_flush_fn pmem2_get_flush_fn(struct pmem2_map *map)
{
	return flush_functions_of(pmem2_map_get_store_granularity(map))->flush;
}

pmem2_drain_fn pmem2_get_drain_fn(struct pmem2_map *map)
{
	return flush_functions_of(pmem2_map_get_store_granularity(map))->drain;
}
