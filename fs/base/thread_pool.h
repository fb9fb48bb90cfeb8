/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * thread_pool.h - threads for work that may block
 *
 * Owns the threads and, from pool_submit to `done`, the tasks. The request loop submits a task, a
 * thread runs it, and the loop finishes it: `run` uses nothing but the task, `done` is called in
 * the loop again and may use everything. A task belongs to a lane (a user, say); only a few threads
 * at once run tasks of one lane, so that work that hangs holds up its own lane alone.
 */
#ifndef PMEM2FS_BASE_THREAD_POOL_H
#define PMEM2FS_BASE_THREAD_POOL_H

#include <stdbool.h>
#include <stdint.h>

struct task {
	struct task *next; /* of the pool */
	uint32_t lane;
	void (*run)(struct task *task);  /* in a thread */
	void (*done)(struct task *task); /* in the loop; may free the task */
};

struct pool;

/*
 * `wake` is an eventfd, borrowed, that is written to when pool_finish has something to do. At most
 * `per_lane` tasks of a lane and `threads` tasks in all run at once, and at most `queued` of a lane
 * wait. NULL when memory runs out.
 */
struct pool *pool_new(int wake, unsigned per_lane, unsigned threads, unsigned queued);

/*
 * Returns 0, -EAGAIN (too many tasks of this lane wait) or -ENOMEM (there is no thread at all). On
 * an error the task stays the caller's.
 */
int pool_submit(struct pool *pool, struct task *task);

/* Calls `done` of each task that has been run. In the loop, when `wake` is readable. */
void pool_finish(struct pool *pool);

/*
 * Waits a fifth of a second at most. If threads hang, they and the pool are left to the end of the
 * process.
 */
void pool_close(struct pool *pool);

#endif
