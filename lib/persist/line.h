/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * line.h - flushing cache lines
 */
#ifndef PMEM2FS_LINE_H
#define PMEM2FS_LINE_H

#include <stddef.h>
#include <stdint.h>

/* How. What an architecture does not have is never asked for there. */
enum line_flush {
	LINE_NOTHING, /* the caches survive a power failure */
	LINE_CLFLUSH, /* x86-64 */
	LINE_CLFLUSHOPT,
	LINE_CLWB,
	LINE_CVAC, /* 64-bit Arm, to the point of coherency */
	LINE_CVAP, /* to the point of persistence */
	LINE_WAYS,
};

#define LINE_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)

#define LINE 64ul

LINE_INLINE size_t line_size(void)
{
	return LINE;
}

/* All stores of the program to that line before this are in what is flushed: hence "memory". */
LINE_INLINE void line_flush(const void *address, enum line_flush how)
{
	volatile char *line = (volatile char *)(uintptr_t)address;

	if (how == LINE_CLWB)
		__asm__ volatile("clwb %0" : "+m"(*line) : : "memory");
	else if (how == LINE_CLFLUSHOPT)
		__asm__ volatile("clflushopt %0" : "+m"(*line) : : "memory");
	else if (how == LINE_CLFLUSH)
		__asm__ volatile("clflush %0" : "+m"(*line) : : "memory");
}

/* Waits for what was flushed, and for stores that by-passed the caches. */
LINE_INLINE void line_fence(void)
{
	__asm__ volatile("sfence" : : : "memory");
}

#elif defined(__aarch64__)

/* The smallest line of any data cache. */
LINE_INLINE size_t line_size(void)
{
	uint64_t type;

	__asm__("mrs %0, ctr_el0" : "=r"(type));
	return (size_t)4 << (type >> 16 & 15);
}

/* By its encoding: assemblers know the name "cvap" only when told that there is one. */
LINE_INLINE void line_flush(const void *address, enum line_flush how)
{
	if (how == LINE_CVAP)
		__asm__ volatile("sys #3, c7, c12, #1, %0" : : "r"(address) : "memory");
	else if (how == LINE_CVAC)
		__asm__ volatile("dc cvac, %0" : : "r"(address) : "memory");
}

LINE_INLINE void line_fence(void)
{
	__asm__ volatile("dsb sy" : : : "memory");
}

#else

LINE_INLINE size_t line_size(void)
{
	return 64;
}

LINE_INLINE void line_flush(const void *address, enum line_flush how)
{
	(void)address;
	(void)how;
}

LINE_INLINE void line_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif

LINE_INLINE void lines_flush(const void *address, size_t size, enum line_flush how)
{
	uintptr_t end = (uintptr_t)address + size;

	if (how == LINE_NOTHING)
		return;
	for (uintptr_t line = (uintptr_t)address & -line_size(); line < end; line += line_size())
		line_flush((const void *)line, how);
}

#endif
