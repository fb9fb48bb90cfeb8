/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * copy_sse2.c - memmove and memset with SSE2
 */
#include <immintrin.h>

#define VECTOR             __m128i
#define LOAD(from)         _mm_loadu_si128((const __m128i *)(from))
#define STORE(to, vector)  _mm_storeu_si128((__m128i *)(to), vector)
#define FILL(word)         _mm_set1_epi64x((long long)(word))
#define WIDE               VECTOR
#define WIDE_LOAD(from)    LOAD(from)
#define WIDE_FILL(word)    FILL(word)
#define STREAM(to, vector) _mm_stream_si128((__m128i *)(to), vector)

#include "persist/copy_x86.h"

const struct copy_kernel copy_sse2 = KERNEL;
