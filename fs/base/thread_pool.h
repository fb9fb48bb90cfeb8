/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * thread_pool.h - threads for work that may block
 *
 * The request loop hands a task over, a thread runs it, and the loop finishes it: `run` sees
 * nothing but the task, `done` runs in the loop again and may touch everything. A task belongs to
 * a lane (a user, say); a lane has a few threads at most, so that work that is stuck holds up
 * its own lane alone.
 */
#ifndef PMEM2FS_BASE_THREAD_POOL_H
#define PMEM2FS_BASE_THREAD_POOL_H

#include <stdbool.h>
#include <stdint.h>

struct task {
	struct task *next; /* the pool's */
	uint32_t lane;
	void (*run)(struct task *task); /* in a thread */
	void (*done)(
		struct task *task); /* in the loop; the task is its own again, and may be freed */
};

struct pool;

/*
 * `wake` is an eventfd, borrowed: written when tasks await pool_finish. At most `per_lane` tasks
 * of a lane and `threads` of all run at once, and at most `queued` of a lane wait. NULL with errno.
 */
struct pool *pool_new(int wake, unsigned per_lane, unsigned threads, unsigned queued);

/* Returns 0 or -EAGAIN (too many of this lane wait) or -ENOMEM (no thread at all); the task is then
 * not taken. */
int pool_submit(struct pool *pool, struct task *task);

/* Calls `done` for each task that has been run. */
void pool_finish(struct pool *pool);

/* Waits for nothing: threads that are stuck are left to the end of the process. */
void pool_close(struct pool *pool);

#endif
