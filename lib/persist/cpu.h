/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpu.h - which of the processor's instructions to store and to flush with
 */
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
	enum flush_instruction flush; /* FLUSH_NONE: user space cannot flush lines */
	enum cpu_vectors vectors;
	size_t stream_flushed; /* see copy_kernel.h */
	size_t stream_cached;
	size_t stream_moved_pages; /* see copy.c */
	size_t stream_filled_pages;
};

/*
 * What processor, operating system and environment allow. The environment counts as it was when
 * the library was loaded.
 */
const struct cpu_choice *cpu_choice(void);

#endif
