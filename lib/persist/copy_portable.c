/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * copy_portable.c - memmove and memset for any processor
 *
 * Owns nothing. Calls cache_line.h. Aligned words of the destination are stored as words, so that
 * no word is ever half written; the bytes before the first and behind the last word are stored one
 * by one. The stores are atomic for the compiler, which must not replace them by a call of memcpy.
 */
#include "persist/copy_kernel.h"
#include <string.h>

static void store_word(char *to, uint64_t word)
{
	__atomic_store_n((uint64_t *)to, word, __ATOMIC_RELAXED);
}

static void store_byte(char *to, char byte)
{
	__atomic_store_n(to, byte, __ATOMIC_RELAXED);
}

static uint64_t load_word(const char *from)
{
	uint64_t word;

	memcpy(&word, from, sizeof(word));
	return word;
}

static bool is_word_aligned(const char *address)
{
	return (uintptr_t)address % sizeof(uint64_t) == 0;
}

static void move_words_up(char *to, const char *from, size_t size)
{
	for (; size && !is_word_aligned(to); size--)
		store_byte(to++, *from++);
	for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t)) {
		store_word(to, load_word(from));
		to += sizeof(uint64_t);
		from += sizeof(uint64_t);
	}
	for (; size; size--)
		store_byte(to++, *from++);
}

static void move_words_down(char *to, const char *from, size_t size)
{
	for (; size && !is_word_aligned(to + size); size--)
		store_byte(to + size - 1, from[size - 1]);
	for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t))
		store_word(to + size - sizeof(uint64_t), load_word(from + size - sizeof(uint64_t)));
	for (; size; size--)
		store_byte(to + size - 1, from[size - 1]);
}

static void fill_words(char *to, char byte, size_t size)
{
	uint64_t word = (unsigned char)byte * 0x0101010101010101u;

	for (; size && !is_word_aligned(to); size--)
		store_byte(to++, byte);
	for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t)) {
		store_word(to, word);
		to += sizeof(uint64_t);
	}
	for (; size; size--)
		store_byte(to++, byte);
}

static void flush_and_fence(const char *to, size_t size, unsigned flags, enum flush_instruction how)
{
	if (!(flags & PMEM2_F_MEM_NOFLUSH))
		cache_lines_flush(to, size, how);
	if (!(flags & COPY_NODRAIN))
		cache_line_fence();
}

#define ENTRIES(suffix, how)                                                                       \
	static void *move_##suffix(void *to, const void *from, size_t size, unsigned flags)        \
	{                                                                                          \
		if ((uintptr_t)to - (uintptr_t)from >= size)                                       \
			move_words_up(to, from, size);                                             \
		else                                                                               \
			move_words_down(to, from, size);                                           \
		flush_and_fence(to, size, flags, how);                                             \
		return to;                                                                         \
	}                                                                                          \
	static void *fill_##suffix(void *to, int byte, size_t size, unsigned flags)                \
	{                                                                                          \
		fill_words(to, (char)byte, size);                                                  \
		flush_and_fence(to, size, flags, how);                                             \
		return to;                                                                         \
	}

ENTRIES(nothing, FLUSH_NONE)
#if defined(__x86_64__)
ENTRIES(clflush, FLUSH_CLFLUSH)
ENTRIES(clflushopt, FLUSH_CLFLUSHOPT)
ENTRIES(clwb, FLUSH_CLWB)
#elif defined(__aarch64__)
ENTRIES(cvac, FLUSH_CVAC)
ENTRIES(cvap, FLUSH_CVAP)
#endif

const struct copy_kernel copy_portable = {
	.move[FLUSH_NONE] = move_nothing,
	.fill[FLUSH_NONE] = fill_nothing,
#if defined(__x86_64__)
	.move[FLUSH_CLFLUSH] = move_clflush,
	.fill[FLUSH_CLFLUSH] = fill_clflush,
	.move[FLUSH_CLFLUSHOPT] = move_clflushopt,
	.fill[FLUSH_CLFLUSHOPT] = fill_clflushopt,
	.move[FLUSH_CLWB] = move_clwb,
	.fill[FLUSH_CLWB] = fill_clwb,
#elif defined(__aarch64__)
	.move[FLUSH_CVAC] = move_cvac,
	.fill[FLUSH_CVAC] = fill_cvac,
	.move[FLUSH_CVAP] = move_cvap,
	.fill[FLUSH_CVAP] = fill_cvap,
#endif
};
