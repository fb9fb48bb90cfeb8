/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stuck_threads.h - threads that look at processes, one at a time
 *
 * A process can make whoever looks at it wait for good (its memory map is locked while it waits for
 * a file system of its own). A thread that got stuck so is left behind, and another one goes on
 * without that process. Changed by the request loop alone; the threads may ask.
 */
#ifndef PMEM2FS_STUCK_THREADS_H
#define PMEM2FS_STUCK_THREADS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STUCK_THREADS_MAX 16 /* all but one of them may be stuck */

struct stuck_threads {
	unsigned now;                           /* the lane that is in use */
	_Atomic pid_t stuck[STUCK_THREADS_MAX]; /* in which process the thread of a lane is; 0: it
						   is not */
};

static inline bool stuck_threads_has(const struct stuck_threads *stuck_threads, pid_t pid)
{
	for (unsigned i = 0; i < STUCK_THREADS_MAX; i++)
		if (pid == atomic_load_explicit(&stuck_threads->stuck[i], memory_order_relaxed))
			return true;
	return false;
}

/* The present lane is stuck in that process: another one is in use from now on. False: there is
 * none. */
static inline bool stuck_threads_leave(struct stuck_threads *stuck_threads, pid_t pid)
{
	for (unsigned i = 0; i < STUCK_THREADS_MAX; i++) {
		if (i == stuck_threads->now || stuck_threads->stuck[i])
			continue;
		atomic_store_explicit(&stuck_threads->stuck[stuck_threads->now], pid,
				      memory_order_relaxed);
		stuck_threads->now = i;
		return true;
	}
	return false;
}

/* The thread of that lane has come back. */
static inline void stuck_threads_return(struct stuck_threads *stuck_threads, unsigned lane)
{
	atomic_store_explicit(&stuck_threads->stuck[lane], 0, memory_order_relaxed);
}

/*
 * How long a thread has been at one process: seen to from time to time, without which nothing is
 * known.
 */
struct progress {
	uint64_t since;    /* clock_now() of the beginning */
	uint64_t checked;  /* when it was last seen to */
	pid_t at;          /* the process then, */
	uint64_t at_since; /* and when it was found there first */
};

static inline void progress_begin(struct progress *progress, uint64_t now)
{
	*progress = (struct progress){.since = now, .checked = now, .at_since = now};
}

static inline void progress_see(struct progress *progress, pid_t at, uint64_t now)
{
	progress->checked = now;
	if (at == progress->at)
		return;
	progress->at = at;
	progress->at_since = now;
}

#endif
