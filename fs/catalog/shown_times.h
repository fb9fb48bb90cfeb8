/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shown_times.h - times of files and of the directory, which grow even if the clock is put back
 *
 * All times are CLOCK_REALTIME in nanoseconds. Embedded in the catalog; used by the request loop
 * alone.
 */
#ifndef PMEM2FS_CATALOG_SHOWN_TIMES_H
#define PMEM2FS_CATALOG_SHOWN_TIMES_H

#include <stdint.h>

#define SHOWN_TIMES_NAMES 1024 /* enough that two names rarely share a slot */

struct shown_times {
	uint64_t begun;
	uint64_t changed; /* when names last changed */
	/* By a hash of the name: the time of the last document that a free name had. */
	uint64_t names[SHOWN_TIMES_NAMES];
};

void shown_times_begin(struct shown_times *times);

/* Names have changed. */
void shown_times_change(struct shown_times *times);

/* `time`, or the next one after `earlier`. */
uint64_t shown_time_after(uint64_t earlier, uint64_t time);

/* The time of the last document that a free name had, or another name with the same hash; or 0. */
uint64_t shown_times_of_name(const struct shown_times *times, const char *name);

/* A name becomes free, whose last document had that time: its next document must be later. */
void shown_times_free_name(struct shown_times *times, const char *name, uint64_t time);

/*
 * The time of the first document of a mapping of the keeper: when it was mapped, but not before the
 * catalog was made, since it may have changed until then. If the clock was put back, it is now.
 */
uint64_t shown_times_of_mapping(const struct shown_times *times, uint64_t created);

#endif
