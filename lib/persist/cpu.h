/* SPDX-License-Identifier: BSD-3-Clause */
/* cpu.h - which instructions of the processor to store and to flush with */
#ifndef PMEM2FS_LIB_PERSIST_CPU_H
#define PMEM2FS_LIB_PERSIST_CPU_H

#include "persist/cache_line.h"

enum cpu_vectors {
	CPU_VECTORS_NONE,
	CPU_VECTORS_SSE2,
	CPU_VECTORS_AVX,
	CPU_VECTORS_AVX512,
};

struct cpu_choice {
	enum flush_instruction flush; /* FLUSH_NONE: user space cannot flush cache lines */
	enum cpu_vectors vectors;
	size_t stream_flushed; /* see copy_kernel.h */
	size_t stream_cached;
	size_t stream_moved_pages; /* see copy.c */
	size_t stream_filled_pages;
};

/*
 * What processor, operating system and environment permit. The environment is read when the library
 * is loaded.
 */
const struct cpu_choice *cpu_choice(void);

#endif
