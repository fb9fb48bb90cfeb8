/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock.h - the clock of all periods and deadlines of the daemon, and the time of day
 *
 * Owns no data; calls libc only.
 */
#ifndef PMEM2FS_BASE_CLOCK_H
#define PMEM2FS_BASE_CLOCK_H

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

/* CLOCK_REALTIME in nanoseconds. Only for times that are shown: this clock can be set. */
static inline uint64_t clock_time_of_day(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * CLOCK_SECOND + (uint64_t)now.tv_nsec;
}

/* The earlier one of two times of clock_now(); UINT64_MAX is never. */
static inline uint64_t clock_earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline struct timespec clock_timespec(uint64_t nanoseconds)
{
	return (struct timespec){
		.tv_sec = (time_t)(nanoseconds / CLOCK_SECOND),
		.tv_nsec = (long)(nanoseconds % CLOCK_SECOND),
	};
}

#endif
