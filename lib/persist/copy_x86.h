/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * copy_x86.h - memmove and memset for x86-64, compiled once for each width of its vectors
 *
 * The including file defines VECTOR, LOAD, STORE and FILL, and for stores that by-pass the caches
 * WIDE, WIDE_LOAD, WIDE_FILL and STREAM.
 *
 * At most SMALL bytes are loaded completely before any of them is stored. Larger copies proceed in
 * such blocks, from the end that keeps the source intact, so that source and destination may
 * overlap in any way.
 *
 * Whole cache lines are stored at their alignment, less than a line as words and vectors that
 * overlap. Where the destination and the size are multiples of 8, so is the start of each store,
 * which has 8 bytes or more: no word is ever half written.
 */
#include "persist/cache_line.h"
#include "persist/copy_kernel.h"
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SMALL       256
#define BLOCK       (4 * CACHE_LINE)
#define LONG_BLOCK  ((sizeof(WIDE) == 64 ? 32 : 16) * sizeof(WIDE))
#define MID_BLOCK   (LONG_BLOCK < 8 * CACHE_LINE ? LONG_BLOCK : 8 * CACHE_LINE)
#define NEAR        (8ul << 10)
#define FAR         (24ul << 20)
#define INLINE      static inline __attribute__((always_inline))
#define VECTOR_SIZE sizeof(VECTOR)

/* may_alias permits access to objects of any type; packed, at any address. */
struct __attribute__((packed, may_alias)) word {
	uint64_t value;
};
struct __attribute__((packed, may_alias)) half {
	uint32_t value;
};
struct __attribute__((packed, may_alias)) quarter {
	uint16_t value;
};

INLINE void move_16(char *to, const char *from, size_t size)
{
	if (size >= 8) {
		uint64_t low = ((const struct word *)from)->value;
		uint64_t high = ((const struct word *)(from + size - 8))->value;

		((struct word *)to)->value = low;
		((struct word *)(to + size - 8))->value = high;
	} else if (size >= 4) {
		uint32_t low = ((const struct half *)from)->value;
		uint32_t high = ((const struct half *)(from + size - 4))->value;

		((struct half *)to)->value = low;
		((struct half *)(to + size - 4))->value = high;
	} else if (size >= 2) {
		uint16_t low = ((const struct quarter *)from)->value;
		uint16_t high = ((const struct quarter *)(from + size - 2))->value;

		((struct quarter *)to)->value = low;
		((struct quarter *)(to + size - 2))->value = high;
	} else if (size) {
		*to = *from;
	}
}

INLINE void move_32(char *to, const char *from, size_t size)
{
	__m128i low = _mm_loadu_si128((const __m128i *)from);
	__m128i high = _mm_loadu_si128((const __m128i *)(from + size - 16));

	_mm_storeu_si128((__m128i *)to, low);
	_mm_storeu_si128((__m128i *)(to + size - 16), high);
}

#ifdef __AVX__
INLINE void move_64(char *to, const char *from, size_t size)
{
	__m256i low = _mm256_loadu_si256((const __m256i *)from);
	__m256i high = _mm256_loadu_si256((const __m256i *)(from + size - 32));

	_mm256_storeu_si256((__m256i *)to, low);
	_mm256_storeu_si256((__m256i *)(to + size - 32), high);
}
#endif

/* Moves `count` vectors from the front and as many from the back. */
INLINE void move_ends(char *to, const char *from, size_t size, unsigned count)
{
	size_t back = size - count * VECTOR_SIZE;
	VECTOR low[8];
	VECTOR high[8];

#pragma GCC unroll 8
	for (unsigned i = 0; i < count; i++)
		low[i] = LOAD(from + i * VECTOR_SIZE);
#pragma GCC unroll 8
	for (unsigned i = 0; i < count; i++)
		high[i] = LOAD(from + back + i * VECTOR_SIZE);
#pragma GCC unroll 8
	for (unsigned i = 0; i < count; i++)
		STORE(to + i * VECTOR_SIZE, low[i]);
#pragma GCC unroll 8
	for (unsigned i = 0; i < count; i++)
		STORE(to + back + i * VECTOR_SIZE, high[i]);
}

INLINE void move_small(char *to, const char *from, size_t size)
{
	if (size <= 16)
		move_16(to, from, size);
	else if (size <= 32)
		move_32(to, from, size);
#ifdef __AVX__
	else if (size <= 64)
		move_64(to, from, size);
#else
	else if (size <= 64)
		move_ends(to, from, size, 2);
#endif
	else if (size <= 128)
		move_ends(to, from, size, 64 / VECTOR_SIZE);
	else
		move_ends(to, from, size, 128 / VECTOR_SIZE);
}

/* Streams at most LONG_BLOCK bytes: one vector for each register of the processor. */
INLINE void stream_lines(char *to, const char *from, unsigned lines)
{
	WIDE vectors[LONG_BLOCK / sizeof(WIDE)];

#pragma GCC unroll 32
	for (unsigned i = 0; i < lines * CACHE_LINE / sizeof(WIDE); i++)
		vectors[i] = WIDE_LOAD(from + i * sizeof(WIDE));
#pragma GCC unroll 32
	for (unsigned i = 0; i < lines * CACHE_LINE / sizeof(WIDE); i++)
		STREAM(to + i * sizeof(WIDE), vectors[i]);
}

/*
 * Measured, time with long blocks in terms of short ones: 0.97 for 4 KiB, 0.8 for moving 512 bytes
 * again and again, 1.02 to 1.05 for 16 KiB to 16 MiB, 0.9 for what is beyond the caches.
 */
INLINE bool wants_long_blocks(size_t size, bool stream)
{
	return stream && (size <= NEAR || size >= FAR);
}

/* Moves whole cache lines of the destination. */
INLINE void move_lines(char *to, const char *from, unsigned lines, bool stream,
		       enum flush_instruction how)
{
	VECTOR vectors[BLOCK / VECTOR_SIZE];

	if (stream) {
		stream_lines(to, from, lines);
		return;
	}
#pragma GCC unroll 16
	for (unsigned i = 0; i < lines * CACHE_LINE / VECTOR_SIZE; i++)
		vectors[i] = LOAD(from + i * VECTOR_SIZE);
#pragma GCC unroll 16
	for (unsigned i = 0; i < lines * CACHE_LINE / VECTOR_SIZE; i++)
		STORE(to + i * VECTOR_SIZE, vectors[i]);
#pragma GCC unroll 4
	for (unsigned i = 0; i < lines; i++)
		cache_line_flush(to + i * CACHE_LINE, how);
}

/*
 * Moves a part of one cache line. Streaming it as words takes three quarters of the time of
 * flushing it.
 */
INLINE void move_edge(char *to, const char *from, size_t size, bool stream,
		      enum flush_instruction how)
{
	long long words[CACHE_LINE / 8];

	if (!stream || ((uintptr_t)to | size) % 8) {
		move_small(to, from, size);
		cache_line_flush(to, how);
		return;
	}
	move_small((char *)words, from, size);
	for (size_t i = 0; i < size / 8; i++)
		_mm_stream_si64((long long *)to + i, words[i]);
}

INLINE void move_up(char *to, const char *from, size_t size, bool stream,
		    enum flush_instruction how)
{
	size_t edge = -(uintptr_t)to % CACHE_LINE;

	if (edge > size)
		edge = size;
	if (edge) {
		move_edge(to, from, edge, stream, how);
		to += edge;
		from += edge;
		size -= edge;
	}
	if (wants_long_blocks(size, stream)) {
		for (; size >= LONG_BLOCK; to += LONG_BLOCK, from += LONG_BLOCK, size -= LONG_BLOCK)
			stream_lines(to, from, LONG_BLOCK / CACHE_LINE);
		for (; size >= MID_BLOCK; to += MID_BLOCK, from += MID_BLOCK, size -= MID_BLOCK)
			stream_lines(to, from, MID_BLOCK / CACHE_LINE);
	}
	for (; size >= BLOCK; to += BLOCK, from += BLOCK, size -= BLOCK)
		move_lines(to, from, BLOCK / CACHE_LINE, stream, how);
	for (; size >= CACHE_LINE; to += CACHE_LINE, from += CACHE_LINE, size -= CACHE_LINE)
		move_lines(to, from, 1, stream, how);
	if (size)
		move_edge(to, from, size, stream, how);
}

INLINE void move_down(char *to, const char *from, size_t size, bool stream,
		      enum flush_instruction how)
{
	size_t edge = (uintptr_t)(to + size) % CACHE_LINE;

	if (edge > size)
		edge = size;
	if (edge) {
		size -= edge;
		move_edge(to + size, from + size, edge, stream, how);
	}
	if (wants_long_blocks(size, stream)) {
		while (size >= LONG_BLOCK) {
			size -= LONG_BLOCK;
			stream_lines(to + size, from + size, LONG_BLOCK / CACHE_LINE);
		}
		while (size >= MID_BLOCK) {
			size -= MID_BLOCK;
			stream_lines(to + size, from + size, MID_BLOCK / CACHE_LINE);
		}
	}
	while (size >= BLOCK) {
		size -= BLOCK;
		move_lines(to + size, from + size, BLOCK / CACHE_LINE, stream, how);
	}
	while (size >= CACHE_LINE) {
		size -= CACHE_LINE;
		move_lines(to + size, from + size, 1, stream, how);
	}
	if (size)
		move_edge(to, from, size, stream, how);
}

INLINE void move_any(char *to, const char *from, size_t size, bool stream,
		     enum flush_instruction how)
{
	if ((uintptr_t)to - (uintptr_t)from >= size)
		move_up(to, from, size, stream, how);
	else
		move_down(to, from, size, stream, how);
}

INLINE void *move(char *to, const char *from, size_t size, unsigned flags,
		  enum flush_instruction how)
{
	if (copy_streams(size, flags, how)) {
		move_any(to, from, size, true, how);
	} else if (size <= SMALL) {
		move_small(to, from, size);
		cache_lines_flush(to, size, how);
	} else {
		move_any(to, from, size, false, how);
	}
	if (!(flags & COPY_NODRAIN))
		_mm_sfence();
	return to;
}

INLINE void fill_16(char *to, uint64_t word, size_t size)
{
	if (size >= 8) {
		((struct word *)to)->value = word;
		((struct word *)(to + size - 8))->value = word;
	} else if (size >= 4) {
		((struct half *)to)->value = (uint32_t)word;
		((struct half *)(to + size - 4))->value = (uint32_t)word;
	} else if (size >= 2) {
		((struct quarter *)to)->value = (uint16_t)word;
		((struct quarter *)(to + size - 2))->value = (uint16_t)word;
	} else if (size) {
		*to = (char)word;
	}
}

INLINE void fill_ends(char *to, VECTOR vector, size_t size, unsigned count)
{
	size_t back = size - count * VECTOR_SIZE;

#pragma GCC unroll 8
	for (unsigned i = 0; i < count; i++)
		STORE(to + i * VECTOR_SIZE, vector);
#pragma GCC unroll 8
	for (unsigned i = 0; i < count; i++)
		STORE(to + back + i * VECTOR_SIZE, vector);
}

INLINE void fill_small(char *to, uint64_t word, size_t size)
{
	if (size <= 16) {
		fill_16(to, word, size);
	} else if (size <= 32) {
		__m128i vector = _mm_set1_epi64x((long long)word);

		_mm_storeu_si128((__m128i *)to, vector);
		_mm_storeu_si128((__m128i *)(to + size - 16), vector);
	} else if (size <= 64) {
#ifdef __AVX__
		__m256i vector = _mm256_set1_epi64x((long long)word);

		_mm256_storeu_si256((__m256i *)to, vector);
		_mm256_storeu_si256((__m256i *)(to + size - 32), vector);
#else
		fill_ends(to, FILL(word), size, 2);
#endif
	} else if (size <= 128) {
		fill_ends(to, FILL(word), size, 64 / VECTOR_SIZE);
	} else {
		fill_ends(to, FILL(word), size, 128 / VECTOR_SIZE);
	}
}

INLINE void fill_lines(char *to, uint64_t word, unsigned lines, bool stream,
		       enum flush_instruction how)
{
	if (stream) {
#pragma GCC unroll 16
		for (unsigned i = 0; i < lines * CACHE_LINE / sizeof(WIDE); i++)
			STREAM(to + i * sizeof(WIDE), WIDE_FILL(word));
		return;
	}
#pragma GCC unroll 16
	for (unsigned i = 0; i < lines * CACHE_LINE / VECTOR_SIZE; i++)
		STORE(to + i * VECTOR_SIZE, FILL(word));
#pragma GCC unroll 4
	for (unsigned i = 0; i < lines; i++)
		cache_line_flush(to + i * CACHE_LINE, how);
}

INLINE void fill_edge(char *to, uint64_t word, size_t size, bool stream, enum flush_instruction how)
{
	if (!stream || ((uintptr_t)to | size) % 8) {
		fill_small(to, word, size);
		cache_line_flush(to, how);
		return;
	}
	for (size_t i = 0; i < size / 8; i++)
		_mm_stream_si64((long long *)to + i, (long long)word);
}

INLINE void fill_any(char *to, uint64_t word, size_t size, bool stream, enum flush_instruction how)
{
	size_t edge = -(uintptr_t)to % CACHE_LINE;

	if (edge > size)
		edge = size;
	if (edge) {
		fill_edge(to, word, edge, stream, how);
		to += edge;
		size -= edge;
	}
	for (; size >= BLOCK; to += BLOCK, size -= BLOCK)
		fill_lines(to, word, BLOCK / CACHE_LINE, stream, how);
	for (; size >= CACHE_LINE; to += CACHE_LINE, size -= CACHE_LINE)
		fill_lines(to, word, 1, stream, how);
	if (size)
		fill_edge(to, word, size, stream, how);
}

INLINE void *fill(char *to, int byte, size_t size, unsigned flags, enum flush_instruction how)
{
	uint64_t word = (unsigned char)byte * 0x0101010101010101u;

	if (copy_streams(size, flags, how)) {
		fill_any(to, word, size, true, how);
	} else if (size <= SMALL) {
		fill_small(to, word, size);
		cache_lines_flush(to, size, how);
	} else {
		fill_any(to, word, size, false, how);
	}
	if (!(flags & COPY_NODRAIN))
		_mm_sfence();
	return to;
}

/* Without flushing, the flush instruction makes no difference. */
#define ENTRIES(suffix, how)                                                                       \
	static void *move_##suffix(void *to, const void *from, size_t size, unsigned flags)        \
	{                                                                                          \
		if (how != FLUSH_NONE && flags & PMEM2_F_MEM_NOFLUSH)                              \
			return move_nothing(to, from, size, flags);                                \
		return move(to, from, size, flags, how);                                           \
	}                                                                                          \
	static void *fill_##suffix(void *to, int byte, size_t size, unsigned flags)                \
	{                                                                                          \
		if (how != FLUSH_NONE && flags & PMEM2_F_MEM_NOFLUSH)                              \
			return fill_nothing(to, byte, size, flags);                                \
		return fill(to, byte, size, flags, how);                                           \
	}

static void *move_nothing(void *to, const void *from, size_t size, unsigned flags);
static void *fill_nothing(void *to, int byte, size_t size, unsigned flags);

ENTRIES(nothing, FLUSH_NONE)
ENTRIES(clflush, FLUSH_CLFLUSH)
ENTRIES(clflushopt, FLUSH_CLFLUSHOPT)
ENTRIES(clwb, FLUSH_CLWB)

#define KERNEL                                                                                     \
	{                                                                                          \
		.move = {move_nothing, move_clflush, move_clflushopt, move_clwb},                  \
		.fill = {fill_nothing, fill_clflush, fill_clflushopt, fill_clwb},                  \
	}
