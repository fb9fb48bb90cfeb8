/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpu.c - which instructions of the processor to store and to flush with
 *
 * Owns the choice, made once. Calls libc only.
 *
 * Environment: PMEM_NO_CLWB, PMEM_NO_CLFLUSHOPT and PMEM_NO_MOVNT forbid their instructions if
 * their value is exactly "1"; PMEM_MOVNT_THRESHOLD is the number of bytes from which stores by-pass
 * the caches; PMEM_AVX512F=0 and PMEM_AVX=0 forbid vectors of 64 and of 32 bytes; PMEM_SSE2=0,
 * which libpmem2 does not know, forbids all vectors.
 *
 * Other variables of libpmem2 have no effect: PMEM_NO_GENERIC_MEMCPY, because libc's memcpy, which
 * may store single bytes, is never used; PMEM_WC_WORKAROUND, because cache lines are always stored
 * whole; PMEM_MOVDIR64B, because no kernel uses that instruction.
 */
#include "persist/cpu.h"
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#define STREAM_FLUSHED 256
#define STREAM_CACHED  (32ul << 20)

/* Measured against libpmem2's, which streams from 256 bytes on. */
#define STREAM_MOVED_PAGES  (128ul << 10)
#define STREAM_FILLED_PAGES (8ul << 20)

static struct cpu_choice choice;

static bool environment_says(const char *name, const char *value)
{
	const char *text = secure_getenv(name);

	return text && !strcmp(text, value);
}

static bool environment_size(const char *name, size_t *size)
{
	const char *text = secure_getenv(name);
	unsigned long long value;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end)
		return false;
	*size = (size_t)value;
	return true;
}

#if defined(__x86_64__)

static enum flush_instruction choose_flush(void)
{
	unsigned a, b, c, d;

	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
		return FLUSH_CLFLUSH;
	if (b & bit_CLWB && !environment_says("PMEM_NO_CLWB", "1"))
		return FLUSH_CLWB;
	if (b & bit_CLFLUSHOPT && !environment_says("PMEM_NO_CLFLUSHOPT", "1"))
		return FLUSH_CLFLUSHOPT;
	return FLUSH_CLFLUSH;
}

/* The builtin also checks that the operating system saves the wider registers. */
static enum cpu_vectors choose_vectors(void)
{
	if (environment_says("PMEM_SSE2", "0"))
		return CPU_VECTORS_NONE;
	if (environment_says("PMEM_AVX", "0"))
		return CPU_VECTORS_SSE2;
	if (__builtin_cpu_supports("avx512f") && !environment_says("PMEM_AVX512F", "0"))
		return CPU_VECTORS_AVX512;
	return __builtin_cpu_supports("avx") ? CPU_VECTORS_AVX : CPU_VECTORS_SSE2;
}

#else

static enum flush_instruction choose_flush(void)
{
#if defined(__aarch64__)
	return getauxval(AT_HWCAP) & HWCAP_DCPOP ? FLUSH_CVAP : FLUSH_CVAC;
#else
	return FLUSH_NONE;
#endif
}

static enum cpu_vectors choose_vectors(void)
{
	return CPU_VECTORS_NONE;
}

#endif

static void choose_instructions(void)
{
	size_t threshold;

	choice.flush = choose_flush();
	choice.vectors = choose_vectors();
	choice.stream_flushed = STREAM_FLUSHED;
	choice.stream_cached = STREAM_CACHED;
	choice.stream_moved_pages = STREAM_MOVED_PAGES;
	choice.stream_filled_pages = STREAM_FILLED_PAGES;
	if (environment_says("PMEM_NO_MOVNT", "1"))
		threshold = SIZE_MAX;
	else if (!environment_size("PMEM_MOVNT_THRESHOLD", &threshold))
		return;
	choice.stream_flushed = choice.stream_cached = threshold;
	choice.stream_moved_pages = choice.stream_filled_pages = threshold;
}

/* A constructor, and a function as well: the constructor of another object may call it first. */
__attribute__((constructor)) const struct cpu_choice *cpu_choice(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, choose_instructions);
	return &choice;
}
