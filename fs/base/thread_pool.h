/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * thread_pool.h - threads for work that may block
 *
 * Owns the threads and, from pool_submit to `done`, the tasks. The request loop submits a task, a
 * thread runs it, and the loop finishes it: `run` uses nothing but the task, `done` is called in
 * the loop again and may use everything. A task belongs to a lane, which is a user or counts as one
 * (0 as root): the lanes share the threads by the rule of share.h, so that work that hangs holds up
 * its own lane alone.
 */
#ifndef PMEM2FS_BASE_THREAD_POOL_H
#define PMEM2FS_BASE_THREAD_POOL_H

#include "base/share.h"
#include <stdbool.h>
#include <stdint.h>

struct task {
	struct task *next; /* of the pool, as is */
	uint64_t order;
	uint32_t lane;
	void (*run)(struct task *task);  /* in a thread */
	void (*done)(struct task *task); /* in the loop; may free the task */
};

struct pool;

/*
 * `wake` is an eventfd, borrowed, that is written to when pool_finish has something to do. The
 * tasks that run at once are the places of `share`; those that find none wait, at most `queued` of
 * a lane. The processors are given to the caller's thread rather than to threads of lanes other
 * than 0, which are nicer by `nicer` (setpriority). NULL when memory runs out.
 */
struct pool *pool_new(int wake, const struct share *share, unsigned queued, int nicer);

/*
 * Returns 0, -EAGAIN (too many tasks of this lane wait) or -ENOMEM (there is no thread at all). On
 * an error the task stays the caller's.
 */
int pool_submit(struct pool *pool, struct task *task);

/* Calls `done` of each task that has been run. In the loop, when `wake` is readable. */
void pool_finish(struct pool *pool);

/*
 * Waits a fifth of a second at most. If threads hang, they are left, and the last one that ends
 * frees the pool.
 */
void pool_close(struct pool *pool);

#endif
