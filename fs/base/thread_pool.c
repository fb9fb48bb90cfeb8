/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * thread_pool.c - see thread_pool.h
 *
 * Everything in struct pool is guarded by its lock. Tasks wait in their lanes; a thread takes the
 * oldest one of those whose lane has room, however many others wait. A thread ends when it was idle
 * for IDLE_SECONDS. Since tasks wake idle threads in turn, so many end, too, as were idle all the
 * time for so long. Calls libc only.
 */
#include "base/thread_pool.h"
#include "base/clock.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <time.h>

#define IDLE_SECONDS 10
#define STACK_BYTES  (512 * 1024)
#define NICEST       19 /* that the kernel knows */

struct lane {
	LIST_ENTRY(lane) others;
	uint32_t id;
	unsigned running, waiting;
	struct task *first, **end; /* that wait, oldest first */
};

LIST_HEAD(lanes, lane);

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	int wake;
	struct share share;                 /* of the threads */
	size_t running_users, running_root; /* tasks, of all lanes but 0 and of 0 */
	unsigned max_queued;
	int usual, nice; /* priorities (setpriority) of lane 0 and of others */
	unsigned threads, idle, queued;
	unsigned least_idle,
		surplus; /* fewest idle threads since `since`; how many threads are to end */
	uint64_t since;  /* clock_now() */
	uint64_t tasks;  /* ever submitted */
	bool closed;
	bool left;                             /* closed, and to be freed by the last thread */
	struct lanes lanes;                    /* those with a task running or waiting */
	struct task *finished, **finished_end; /* pool_finish has not come yet */
};

/* NULL when memory runs out. */
static struct lane *lane_get(struct pool *pool, uint32_t id)
{
	struct lane *lane;

	LIST_FOREACH(lane, &pool->lanes, others)
	if (lane->id == id)
		return lane;
	lane = calloc(1, sizeof(*lane));
	if (lane) {
		lane->id = id;
		lane->end = &lane->first;
		LIST_INSERT_HEAD(&pool->lanes, lane, others);
	}
	return lane;
}

static void lane_put(struct lane *lane)
{
	if (lane->running || lane->waiting)
		return;
	LIST_REMOVE(lane, others);
	free(lane);
}

static bool lane_has_room(const struct pool *pool, const struct lane *lane)
{
	const struct share_use use = {.uid = lane->id,
				      .users = pool->running_users,
				      .root = pool->running_root,
				      .own = lane->running};

	return share_room(&pool->share, &use);
}

static size_t *running_like(struct pool *pool, const struct lane *lane)
{
	return lane->id ? &pool->running_users : &pool->running_root;
}

static struct task *take_first(struct lane *lane)
{
	struct task *task = lane->first;

	lane->first = task->next;
	if (!lane->first)
		lane->end = &lane->first;
	lane->waiting--;
	return task;
}

/* Takes the oldest task whose lane has room. NULL: there is none. */
static struct task *next_task(struct pool *pool, struct lane **lane_ptr)
{
	struct lane *lane, *best = NULL;

	LIST_FOREACH(lane, &pool->lanes, others)
	if (lane->first && (!best || lane->first->order < best->first->order) &&
	    lane_has_room(pool, lane))
		best = lane;
	if (!best)
		return NULL;
	pool->queued--;
	best->running++;
	++*running_like(pool, best);
	*lane_ptr = best;
	return take_first(best);
}

/* Without rights a thread that is nice stays so. */
static void set_priority(const struct pool *pool, uint32_t lane)
{
	int wanted = lane ? pool->nice : pool->usual;

	if (pool->nice != pool->usual && getpriority(PRIO_PROCESS, 0) != wanted)
		setpriority(PRIO_PROCESS, 0, wanted); /* of this thread */
}

/* Whether this thread, which finds no task, is one too many. */
static bool is_surplus(struct pool *pool)
{
	uint64_t now = clock_now();

	if (now - pool->since >= IDLE_SECONDS * CLOCK_SECOND) {
		pool->surplus = pool->least_idle;
		pool->least_idle = pool->idle;
		pool->since = now;
	}
	if (!pool->surplus)
		return false;
	pool->surplus--;
	return true;
}

static void free_pool(struct pool *pool)
{
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

static void *thread_main(void *arg)
{
	struct pool *pool = arg;
	struct lane *lane;
	struct task *task;
	bool closed, is_last;
	int error = 0;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct timespec until;

		task = pool->closed ? NULL : next_task(pool, &lane);
		if (!task) {
			if (pool->closed || is_surplus(pool) || error == ETIMEDOUT)
				break;
			clock_gettime(CLOCK_MONOTONIC, &until);
			until.tv_sec += IDLE_SECONDS;
			pool->idle++;
			error = pthread_cond_timedwait(&pool->work, &pool->lock, &until);
			pool->idle--;
			if (pool->idle < pool->least_idle)
				pool->least_idle = pool->idle;
			continue;
		}
		error = 0;
		pthread_mutex_unlock(&pool->lock);
		set_priority(pool, task->lane);
		task->run(task);
		set_priority(pool, 0); /* the loop may wait for the lock */
		pthread_mutex_lock(&pool->lock);
		lane->running--;
		--*running_like(pool, lane);
		lane_put(lane);
		task->next = NULL;
		*pool->finished_end = task;
		pool->finished_end = &task->next;
		closed = pool->closed;
		pthread_mutex_unlock(&pool->lock);
		if (!closed) /* else the loop may have closed the descriptor */
			eventfd_write(pool->wake, 1);
		pthread_mutex_lock(&pool->lock);
	}
	is_last = --pool->threads == 0 && pool->left;
	pthread_mutex_unlock(&pool->lock);
	if (is_last)
		free_pool(pool);
	return NULL;
}

static int start_thread(struct pool *pool)
{
	pthread_attr_t attr;
	pthread_t thread;
	int error;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	error = pthread_create(&thread, &attr, thread_main, pool);
	pthread_attr_destroy(&attr);
	if (!error)
		pool->threads++;
	return error;
}

struct pool *pool_new(int wake, const struct share *share, unsigned queued, int nicer)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	pthread_condattr_t attr;

	if (!pool)
		return NULL;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->work, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&pool->lock, NULL);
	pool->wake = wake;
	pool->share = *share;
	pool->max_queued = queued;
	pool->usual = getpriority(PRIO_PROCESS, 0);
	pool->nice = pool->usual + nicer < NICEST ? pool->usual + nicer : NICEST;
	pool->finished_end = &pool->finished;
	return pool;
}

int pool_submit(struct pool *pool, struct task *task)
{
	struct lane *lane;
	int result = 0;

	pthread_mutex_lock(&pool->lock);
	lane = lane_get(pool, task->lane);
	if (!lane) {
		result = -ENOMEM;
	} else if (lane->waiting >= pool->max_queued) {
		result = -EAGAIN;
	} else if (pool->idle <= pool->queued && pool->threads < pool->share.total &&
		   lane_has_room(pool, lane) && start_thread(pool) && !pool->threads) {
		lane_put(lane);
		result = -ENOMEM;
	} else {
		pool->queued++;
		lane->waiting++;
		task->next = NULL;
		task->order = ++pool->tasks;
		*lane->end = task;
		lane->end = &task->next;
		pthread_cond_signal(&pool->work);
	}
	pthread_mutex_unlock(&pool->lock);
	return result;
}

void pool_finish(struct pool *pool)
{
	struct task *task, *next;

	pthread_mutex_lock(&pool->lock);
	task = pool->finished;
	pool->finished = NULL;
	pool->finished_end = &pool->finished;
	pthread_mutex_unlock(&pool->lock);
	for (; task; task = next) {
		next = task->next;
		task->done(task);
	}
}

void pool_close(struct pool *pool)
{
	bool busy;

	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->closed = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (int i = 0; i < 100; i++) {
		pthread_mutex_lock(&pool->lock);
		busy = pool->threads > 0;
		pool->left = busy && i == 99; /* a stuck thread still uses the pool */
		pthread_mutex_unlock(&pool->lock);
		if (!busy)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	if (!busy)
		free_pool(pool);
}
