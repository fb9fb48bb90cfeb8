/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache_line.h - flushing cache lines
 */
#ifndef PMEM2FS_LIB_PERSIST_CACHE_LINE_H
#define PMEM2FS_LIB_PERSIST_CACHE_LINE_H

#include <stddef.h>
#include <stdint.h>

/*
 * The instruction that flushes a cache line. An instruction that the architecture lacks is never
 * passed to a function.
 */
enum flush_instruction {
	FLUSH_NONE,    /* none is needed, or there is none */
	FLUSH_CLFLUSH, /* x86-64 */
	FLUSH_CLFLUSHOPT,
	FLUSH_CLWB,
	FLUSH_CVAC, /* 64-bit Arm, to the point of coherency */
	FLUSH_CVAP, /* to the point of persistence */
	FLUSH_INSTRUCTIONS,
};

#define CACHE_LINE_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)

#define CACHE_LINE 64ul

CACHE_LINE_INLINE size_t cache_line_size(void)
{
	return CACHE_LINE;
}

/* The "memory" clobber keeps all earlier stores of the program before the flush. */
CACHE_LINE_INLINE void cache_line_flush(const void *address, enum flush_instruction how)
{
	volatile char *line = (volatile char *)(uintptr_t)address;

	if (how == FLUSH_CLWB)
		__asm__ volatile("clwb %0" : "+m"(*line) : : "memory");
	else if (how == FLUSH_CLFLUSHOPT)
		__asm__ volatile("clflushopt %0" : "+m"(*line) : : "memory");
	else if (how == FLUSH_CLFLUSH)
		__asm__ volatile("clflush %0" : "+m"(*line) : : "memory");
}

/* Waits for flushes and for stores that by-passed the caches. */
CACHE_LINE_INLINE void cache_line_fence(void)
{
	__asm__ volatile("sfence" : : : "memory");
}

#elif defined(__aarch64__)

/* The smallest line of any data cache. */
CACHE_LINE_INLINE size_t cache_line_size(void)
{
	uint64_t type;

	__asm__("mrs %0, ctr_el0" : "=r"(type));
	return (size_t)4 << (type >> 16 & 15);
}

/* By its encoding: assemblers know the name "cvap" only for ARMv8.2 and later. */
CACHE_LINE_INLINE void cache_line_flush(const void *address, enum flush_instruction how)
{
	if (how == FLUSH_CVAP)
		__asm__ volatile("sys #3, c7, c12, #1, %0" : : "r"(address) : "memory");
	else if (how == FLUSH_CVAC)
		__asm__ volatile("dc cvac, %0" : : "r"(address) : "memory");
}

CACHE_LINE_INLINE void cache_line_fence(void)
{
	__asm__ volatile("dsb sy" : : : "memory");
}

#else

CACHE_LINE_INLINE size_t cache_line_size(void)
{
	return 64;
}

CACHE_LINE_INLINE void cache_line_flush(const void *address, enum flush_instruction how)
{
	(void)address;
	(void)how;
}

CACHE_LINE_INLINE void cache_line_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif

CACHE_LINE_INLINE void cache_lines_flush(const void *address, size_t size,
					 enum flush_instruction how)
{
	uintptr_t end = (uintptr_t)address + size;

	if (how == FLUSH_NONE)
		return;
	for (uintptr_t line = (uintptr_t)address & -cache_line_size(); line < end;
	     line += cache_line_size())
		cache_line_flush((const void *)line, how);
}

#endif
