/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * copy_avx.c - memmove and memset with AVX
 */
#include <immintrin.h>

#define VECTOR             __m256i
#define LOAD(from)         _mm256_loadu_si256((const __m256i *)(from))
#define STORE(to, vector)  _mm256_storeu_si256((__m256i *)(to), vector)
#define FILL(word)         _mm256_set1_epi64x((long long)(word))
#define WIDE               VECTOR
#define WIDE_LOAD(from)    LOAD(from)
#define WIDE_FILL(word)    FILL(word)
#define STREAM(to, vector) _mm256_stream_si256((__m256i *)(to), vector)

#include "persist/copy_x86.h"

const struct copy_kernel copy_avx = KERNEL;
