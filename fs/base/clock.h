/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock.h - the time by which everything here is measured
 */
#ifndef PMEM2FS_CLOCK_H
#define PMEM2FS_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_SECOND 1000000000ull /* nanoseconds */

/* CLOCK_MONOTONIC in nanoseconds. */
static inline uint64_t clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * CLOCK_SECOND + (uint64_t)now.tv_nsec;
}

#endif
