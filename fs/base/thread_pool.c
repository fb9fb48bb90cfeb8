/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * thread_pool.c - see thread_pool.h
 *
 * Everything in struct pool is guarded by its lock. Tasks wait in one list, oldest first; a
 * thread takes the first one whose lane has room. Idle threads end after IDLE_SECONDS. Calls libc
 * only.
 */
#include "base/thread_pool.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#define IDLE_SECONDS 10
#define STACK_BYTES  (512 * 1024)

struct lane {
	struct lane *next;
	uint32_t id;
	unsigned running, waiting;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	int wake;
	unsigned per_lane, max_threads, max_queued;
	unsigned threads, idle, queued;
	bool closed;
	struct lane *lanes; /* those with a task running or waiting */
	struct task *waiting, **waiting_end;
	struct task *finished, **finished_end; /* pool_finish has not come yet */
};

static struct lane *lane_get(struct pool *pool, uint32_t id, bool make)
{
	struct lane *lane;

	for (lane = pool->lanes; lane; lane = lane->next)
		if (lane->id == id)
			return lane;
	lane = make ? calloc(1, sizeof(*lane)) : NULL;
	if (lane) {
		lane->id = id;
		lane->next = pool->lanes;
		pool->lanes = lane;
	}
	return lane;
}

static void lane_put(struct pool *pool, struct lane *lane)
{
	struct lane **link = &pool->lanes;

	if (lane->running || lane->waiting)
		return;
	while (*link != lane)
		link = &(*link)->next;
	*link = lane->next;
	free(lane);
}

/* Takes the oldest task whose lane has room off the list. */
static struct task *next_task(struct pool *pool, struct lane **lane_ptr)
{
	for (struct task **link = &pool->waiting; *link; link = &(*link)->next) {
		struct task *task = *link;
		struct lane *lane = lane_get(pool, task->lane, false);

		if (lane->running >= pool->per_lane)
			continue;
		*link = task->next;
		if (pool->waiting_end == &task->next)
			pool->waiting_end = link;
		pool->queued--;
		lane->waiting--;
		lane->running++;
		*lane_ptr = lane;
		return task;
	}
	return NULL;
}

static void *thread_main(void *arg)
{
	struct pool *pool = arg;
	struct lane *lane;
	struct task *task;
	int error = 0;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct timespec until;

		task = pool->closed ? NULL : next_task(pool, &lane);
		if (!task) {
			if (pool->closed || error == ETIMEDOUT)
				break;
			clock_gettime(CLOCK_MONOTONIC, &until);
			until.tv_sec += IDLE_SECONDS;
			pool->idle++;
			error = pthread_cond_timedwait(&pool->work, &pool->lock, &until);
			pool->idle--;
			continue;
		}
		error = 0;
		pthread_mutex_unlock(&pool->lock);
		task->run(task);
		pthread_mutex_lock(&pool->lock);
		lane->running--;
		lane_put(pool, lane);
		task->next = NULL;
		*pool->finished_end = task;
		pool->finished_end = &task->next;
		eventfd_write(pool->wake, 1);
	}
	pool->threads--;
	pthread_mutex_unlock(&pool->lock);
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

struct pool *pool_new(int wake, unsigned per_lane, unsigned threads, unsigned queued)
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
	pool->per_lane = per_lane;
	pool->max_threads = threads;
	pool->max_queued = queued;
	pool->waiting_end = &pool->waiting;
	pool->finished_end = &pool->finished;
	return pool;
}

int pool_submit(struct pool *pool, struct task *task)
{
	struct lane *lane;
	int result = 0;

	pthread_mutex_lock(&pool->lock);
	lane = lane_get(pool, task->lane, true);
	if (!lane) {
		result = -ENOMEM;
	} else if (lane->waiting >= pool->max_queued) {
		result = -EAGAIN;
	} else if (pool->idle <= pool->queued && pool->threads < pool->max_threads &&
		   lane->running < pool->per_lane && start_thread(pool) && !pool->threads) {
		lane_put(pool, lane);
		result = -ENOMEM;
	} else {
		pool->queued++;
		lane->waiting++;
		task->next = NULL;
		*pool->waiting_end = task;
		pool->waiting_end = &task->next;
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
		pthread_mutex_unlock(&pool->lock);
		if (!busy)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	if (busy)
		return; /* a stuck thread still uses the pool */
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
