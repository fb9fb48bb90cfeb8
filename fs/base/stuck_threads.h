/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stuck_threads.h - watches threads that read what /proc says of processes and may hang
 *
 * Owns no memory. A process can make every thread that reads its files in /proc wait, with some
 * kernels for ever (its memory map is locked while it waits for a file system of its own). A thread
 * that hangs is left behind with its lane of the pool, and another lane goes on without that
 * process, and without all processes of its user when this one may have no more threads hang.
 * Changed by the request loop alone; the threads only ask who is left out.
 */
#ifndef PMEM2FS_BASE_STUCK_THREADS_H
#define PMEM2FS_BASE_STUCK_THREADS_H

#include "base/share.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STUCK_THREADS_MAX 64 /* lanes; all but one of them may be stuck */

/* How many threads may be stuck in the processes of one user: each of 28 users is sure of one. */
extern const struct share stuck_threads_share;

struct stuck_threads {
	unsigned now; /* the lane that is in use */
	/*
	 * In which process the thread of each lane hangs, 0: in none; and whose process that is.
	 * Read by threads: relaxed. If the loop changes them between the two reads of a thread, the
	 * thread leaves out the processes of a wrong user, once.
	 */
	_Atomic pid_t stuck[STUCK_THREADS_MAX];
	_Atomic uid_t users[STUCK_THREADS_MAX];
};

/* Whether any thread hangs: otherwise nobody is left out. */
bool stuck_threads_any(const struct stuck_threads *stuck_threads);

/* Whether that process of that user is left out. */
bool stuck_threads_leave_out(const struct stuck_threads *stuck_threads, pid_t pid, uid_t uid);

/*
 * The lane in use hangs in that process of that user: another one is in use from now on, and the
 * log says so, with the `consequence`. False: there is no other lane, and nothing has changed.
 */
bool stuck_threads_leave(struct stuck_threads *stuck_threads, pid_t pid, uid_t uid,
			 const char *consequence);

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
