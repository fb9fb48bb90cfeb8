/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shown_times.c - see shown_times.h
 */
#include "catalog/shown_times.h"
#include "base/clock.h"

void shown_times_begin(struct shown_times *times)
{
	shown_times_change(times);
	times->begun = times->changed;
}

void shown_times_change(struct shown_times *times)
{
	times->changed = shown_time_after(times->changed, clock_time_of_day());
}

uint64_t shown_time_after(uint64_t earlier, uint64_t time)
{
	return time > earlier ? time : earlier + 1;
}

static unsigned slot_of(const char *name)
{
	unsigned hash = 0;

	while (*name)
		hash = hash * 31 + (unsigned char)*name++;
	return hash % SHOWN_TIMES_NAMES;
}

uint64_t shown_times_of_name(const struct shown_times *times, const char *name)
{
	return times->names[slot_of(name)];
}

void shown_times_free_name(struct shown_times *times, const char *name, uint64_t time)
{
	uint64_t *last = &times->names[slot_of(name)];

	if (time > *last)
		*last = time;
}

uint64_t shown_times_of_mapping(const struct shown_times *times, uint64_t created)
{
	uint64_t now = clock_time_of_day(), begun = times->begun < now ? times->begun : now;

	return created > begun ? created : begun;
}
