/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lifeline.h - reports to one process that a thread of another process has ended
 *
 * waitpid and pidfds report the end of a process when its last thread has ended, which may be
 * never: a thread that hangs in a file system ends only when that answers. A lifeline reports the
 * end of one thread, and without polling: it is a robust mutex in memory of both processes, and
 * when the thread that holds it ends, the kernel wakes the threads that wait for it.
 */
#ifndef PMEM2FS_BASE_LIFELINE_H
#define PMEM2FS_BASE_LIFELINE_H

struct lifeline;

/*
 * *fd is for the other process; both are the caller's. Returns 0 or a negative errno; then *fd is
 * -1.
 */
int lifeline_new(struct lifeline **lifeline, int *fd);

/*
 * In the other process: the calling thread holds the lifeline for as long as it lives. The memory
 * stays mapped; `fd` stays the caller's. Returns 0 or a negative errno.
 */
int lifeline_hold(int fd);

/*
 * Once a thread of the other process holds it: when that thread ends, 1 is added to the eventfd
 * `event`, which must stay open. A thread waits for that, and frees the lifeline. Returns 0 or a
 * negative errno; then the lifeline is still the caller's.
 */
int lifeline_watch(struct lifeline *lifeline, int event);

/* Unless lifeline_watch has taken it. NULL: nothing. */
void lifeline_free(struct lifeline *lifeline);

#endif
