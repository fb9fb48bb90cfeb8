/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stuck_threads.c - see stuck_threads.h
 */
#include "base/stuck_threads.h"
#include "base/clock.h"
#include "base/log.h"
#include <stdatomic.h>

#define CHECK_PERIOD (CLOCK_SECOND / 2)
/* At one process: */
#define SLOW_AFTER  (2 * CLOCK_SECOND)
#define STUCK_AFTER (4 * CLOCK_SECOND)

bool stuck_threads_has(const struct stuck_threads *stuck_threads, pid_t pid)
{
	for (unsigned i = 0; i < STUCK_THREADS_MAX; i++)
		if (pid == atomic_load_explicit(&stuck_threads->stuck[i], memory_order_relaxed))
			return true;
	return false;
}

bool stuck_threads_leave(struct stuck_threads *stuck_threads, pid_t pid, const char *consequence)
{
	for (unsigned i = 0; i < STUCK_THREADS_MAX; i++) {
		if (i == stuck_threads->now || stuck_threads->stuck[i])
			continue;
		atomic_store_explicit(&stuck_threads->stuck[stuck_threads->now], pid,
				      memory_order_relaxed);
		stuck_threads->now = i;
		log_error("process %d cannot be looked at: %s", (int)pid, consequence);
		return true;
	}
	return false;
}

void stuck_threads_return(struct stuck_threads *stuck_threads, unsigned lane)
{
	atomic_store_explicit(&stuck_threads->stuck[lane], 0, memory_order_relaxed);
}

void progress_begin(struct progress *progress, uint64_t now)
{
	*progress = (struct progress){.since = now, .checked = now, .at_since = now};
}

uint64_t progress_due(const struct progress *progress)
{
	return progress->checked + CHECK_PERIOD;
}

enum progress_state progress_check(struct progress *progress, pid_t at, uint64_t now)
{
	progress->checked = now;
	if (at != progress->at) {
		progress->at = at;
		progress->at_since = now;
	}
	if (now - progress->at_since < SLOW_AFTER)
		return PROGRESS_NORMAL;
	return at && now - progress->at_since >= STUCK_AFTER ? PROGRESS_STUCK : PROGRESS_SLOW;
}
