/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * copy_kernel.h - the kernels behind pmem2_get_memmove_fn and pmem2_get_memset_fn
 */
#ifndef PMEM2FS_LIB_PERSIST_COPY_KERNEL_H
#define PMEM2FS_LIB_PERSIST_COPY_KERNEL_H

#include "libpmem2.h"
#include "persist/cache_line.h"
#include <stdbool.h>

#define COPY_NODRAIN   (PMEM2_F_MEM_NODRAIN | PMEM2_F_MEM_NOFLUSH)
#define COPY_TEMPORAL  (PMEM2_F_MEM_TEMPORAL | PMEM2_F_MEM_WB | PMEM2_F_MEM_NOFLUSH)
#define COPY_STREAMING (PMEM2_F_MEM_NONTEMPORAL | PMEM2_F_MEM_WC)

/*
 * One way of storing, with a function for each flush instruction. NULL: the processors that the
 * kernel is for lack the instruction.
 */
struct copy_kernel {
	pmem2_memmove_fn move[FLUSH_INSTRUCTIONS];
	pmem2_memset_fn fill[FLUSH_INSTRUCTIONS];
};

extern const struct copy_kernel copy_portable;
#ifdef __x86_64__
extern const struct copy_kernel copy_sse2;
extern const struct copy_kernel copy_avx;
extern const struct copy_kernel copy_avx512;
#endif

/*
 * The sizes from which stores by-pass the caches: where cache lines have to be flushed, and where
 * they need not be. SIZE_MAX: never. Written once, before the address of any kernel is handed out.
 */
extern size_t copy_stream_flushed;
extern size_t copy_stream_cached;

static inline __attribute__((always_inline)) bool copy_streams(size_t size, unsigned flags,
							       enum flush_instruction how)
{
	size_t from = how == FLUSH_NONE ? copy_stream_cached : copy_stream_flushed;

	if (flags & COPY_TEMPORAL)
		return false;
	if (flags & COPY_STREAMING)
		return from != SIZE_MAX;
	return size >= from;
}

#endif
