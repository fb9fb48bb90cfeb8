/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock.h - milliseconds for time limits
 */
#ifndef PMEM2FS_ISOLATE_CLOCK_H
#define PMEM2FS_ISOLATE_CLOCK_H

#include <time.h>

static inline long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

#endif
