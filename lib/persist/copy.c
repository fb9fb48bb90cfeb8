/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * copy.c - the functions that pmem2_get_memmove_fn, _memcpy_fn and _memset_fn return
 *
 * Owns the choice of a kernel, made once. Calls cpu.c, flush.c and the kernels.
 */
#include "persist/copy_kernel.h"
#include "persist/cpu.h"
#include "persist/flush.h"
#include <pthread.h>

struct copy_functions {
	pmem2_memmove_fn move;
	pmem2_memset_fn fill;
};

static struct copy_functions functions[PMEM2_GRANULARITY_PAGE + 1];

/*
 * Page granularity. The copy always ends in a fence: only behind it does the kernel see stores that
 * by-passed the caches.
 */
static unsigned page_flags(unsigned flags, bool stream)
{
	if (stream && !(flags & COPY_TEMPORAL))
		flags |= PMEM2_F_MEM_NONTEMPORAL;
	return flags & ~PMEM2_F_MEM_NODRAIN;
}

static void *move_pages(void *to, const void *from, size_t size, unsigned flags)
{
	bool flush = !(flags & PMEM2_F_MEM_NOFLUSH);
	bool stream = size >= cpu_choice()->stream_moved_pages;

	functions[PMEM2_GRANULARITY_BYTE].move(to, from, size, page_flags(flags, stream));
	if (flush)
		flush_pages(to, size);
	return to;
}

static void *fill_pages(void *to, int byte, size_t size, unsigned flags)
{
	bool flush = !(flags & PMEM2_F_MEM_NOFLUSH);
	bool stream = size >= cpu_choice()->stream_filled_pages;

	functions[PMEM2_GRANULARITY_BYTE].fill(to, byte, size, page_flags(flags, stream));
	if (flush)
		flush_pages(to, size);
	return to;
}

static const struct copy_kernel *copy_kernel_of(enum cpu_vectors vectors)
{
	switch (vectors) {
#ifdef __x86_64__
	case CPU_VECTORS_SSE2:
		return &copy_sse2;
	case CPU_VECTORS_AVX:
		return &copy_avx;
	case CPU_VECTORS_AVX512:
		return &copy_avx512;
#endif
	default:
		return &copy_portable;
	}
}

static void choose_functions(void)
{
	const struct cpu_choice *cpu = cpu_choice();
	const struct copy_kernel *kernel = copy_kernel_of(cpu->vectors);
	struct copy_functions pages = {move_pages, fill_pages};

	copy_stream_flushed = cpu->stream_flushed;
	copy_stream_cached = cpu->stream_cached;
	functions[PMEM2_GRANULARITY_PAGE] = pages;
	functions[PMEM2_GRANULARITY_BYTE].move = kernel->move[FLUSH_NONE];
	functions[PMEM2_GRANULARITY_BYTE].fill = kernel->fill[FLUSH_NONE];
	functions[PMEM2_GRANULARITY_CACHE_LINE] = pages;
	if (cpu->flush != FLUSH_NONE) {
		functions[PMEM2_GRANULARITY_CACHE_LINE].move = kernel->move[cpu->flush];
		functions[PMEM2_GRANULARITY_CACHE_LINE].fill = kernel->fill[cpu->flush];
	}
}

static const struct copy_functions *copy_functions_of(struct pmem2_map *map)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, choose_functions);
	return &functions[pmem2_map_get_store_granularity(map)];
}

pmem2_memmove_fn pmem2_get_memmove_fn(struct pmem2_map *map)
{
	return copy_functions_of(map)->move;
}

pmem2_memcpy_fn pmem2_get_memcpy_fn(struct pmem2_map *map)
{
	return copy_functions_of(map)->move;
}

pmem2_memset_fn pmem2_get_memset_fn(struct pmem2_map *map)
{
	return copy_functions_of(map)->fill;
}
