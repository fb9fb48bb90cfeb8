/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stuck_threads.h - the watch over threads that read of processes, and hang
 *
 * Owns no memory. A process can make every thread that reads of it wait, forever with some kernels
 * (its memory map is locked while it waits for a file system of its own). A thread that hangs is
 * left behind with its lane of the pool, and another lane goes on without that process. Changed by
 * the request loop alone; the threads only call stuck_threads_has.
 */
#ifndef PMEM2FS_BASE_STUCK_THREADS_H
#define PMEM2FS_BASE_STUCK_THREADS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STUCK_THREADS_MAX 16 /* lanes; all but one of them may be stuck */

struct stuck_threads {
	unsigned now; /* the lane that is in use */
	/* In which process the thread of each lane hangs, 0: in none. Read by threads: relaxed,
	 * since nothing else is published with it. */
	_Atomic pid_t stuck[STUCK_THREADS_MAX];
};

bool stuck_threads_has(const struct stuck_threads *stuck_threads, pid_t pid);

/*
 * The lane in use hangs in that process: another one is in use from now on, and the log says so,
 * with the `consequence`. False: there is no other lane, and nothing has changed.
 */
bool stuck_threads_leave(struct stuck_threads *stuck_threads, pid_t pid, const char *consequence);

/* The thread of that lane has come back. */
void stuck_threads_return(struct stuck_threads *stuck_threads, unsigned lane);

/* How far a thread is with a piece of work, as far as the request loop has seen. */
struct progress {
	uint64_t since;    /* clock_now() of the beginning */
	uint64_t checked;  /* of the last check */
	pid_t at;          /* the process that it was at then, */
	uint64_t at_since; /* and when a check found it there first */
};

enum progress_state {
	PROGRESS_NORMAL,
	PROGRESS_SLOW,  /* too long at one process for others to wait */
	PROGRESS_STUCK, /* so long that it is to be left behind */
};

void progress_begin(struct progress *progress, uint64_t now);

/* When the next check is due: before that, progress_check is not to be called. */
uint64_t progress_due(const struct progress *progress);

/* Now the thread is at process `at`, 0: at none. */
enum progress_state progress_check(struct progress *progress, pid_t at, uint64_t now);

#endif
