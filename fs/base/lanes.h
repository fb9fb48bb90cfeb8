/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanes.h - threads that look at processes, one at a time
 *
 * A process can make whoever looks at it wait for good (its memory map is locked while it waits for
 * a file system of its own). A thread that got stuck so is left behind, and another one goes on
 * without that process. Changed by the request loop alone; the threads may ask.
 */
#ifndef PMEM2FS_LANES_H
#define PMEM2FS_LANES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LANES_MAX 16 /* all but one of them may be stuck */

struct lanes {
	unsigned now;                   /* the lane that is in use */
	_Atomic pid_t stuck[LANES_MAX]; /* in which process the thread of a lane is; 0: it is not */
};

static inline bool lanes_is_stuck(const struct lanes *lanes, pid_t pid)
{
	for (unsigned i = 0; i < LANES_MAX; i++)
		if (pid == atomic_load_explicit(&lanes->stuck[i], memory_order_relaxed))
			return true;
	return false;
}

/* The present lane is stuck in that process: another one is in use from now on. False: there is
 * none. */
static inline bool lanes_leave(struct lanes *lanes, pid_t pid)
{
	for (unsigned i = 0; i < LANES_MAX; i++) {
		if (i == lanes->now || lanes->stuck[i])
			continue;
		atomic_store_explicit(&lanes->stuck[lanes->now], pid, memory_order_relaxed);
		lanes->now = i;
		return true;
	}
	return false;
}

/* The thread of that lane has come back. */
static inline void lanes_return(struct lanes *lanes, unsigned lane)
{
	atomic_store_explicit(&lanes->stuck[lane], 0, memory_order_relaxed);
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
