/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spare_memory.c - see spare_memory.h
 */
#include "base/spare_memory.h"
#include "base/clock.h"
#include <malloc.h>
#include <stdatomic.h>

/* Only its value counts: relaxed. */
static _Atomic size_t noted;
static uint64_t given_back; /* clock_now() of the last time */

void spare_memory_note(size_t bytes)
{
	atomic_fetch_add_explicit(&noted, bytes, memory_order_relaxed);
}

uint64_t spare_memory_expire(uint64_t now)
{
	size_t bytes = atomic_load_explicit(&noted, memory_order_relaxed);

	if (bytes < SPARE_MEMORY_LITTLE)
		return UINT64_MAX;
	if (bytes < SPARE_MEMORY_MUCH && given_back && now < given_back + CLOCK_SECOND)
		return given_back + CLOCK_SECOND;
	given_back = now;
	atomic_store_explicit(&noted, 0, memory_order_relaxed);
	malloc_trim(0);
	return UINT64_MAX;
}
