/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_thread_pool.c - lanes, limits, and which task runs where
 *
 * Tasks wait at a gate, so that nothing depends on time.
 */
#include "base/thread_pool.h"
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define NICER 5

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static pthread_t loop;
static int wake;

struct job {
	struct task task; /* first */
	bool stuck;       /* waits at the gate */
	bool started, let_in, ended;
	int finished;
	unsigned order;
	int priority;
};

static unsigned starts;

static void run(struct task *task)
{
	struct job *job = (struct job *)task;

	assert_false(pthread_equal(pthread_self(), loop));
	pthread_mutex_lock(&lock);
	job->started = true;
	job->order = ++starts;
	job->priority = getpriority(PRIO_PROCESS, 0);
	pthread_cond_broadcast(&moved);
	while (job->stuck && !job->let_in)
		pthread_cond_wait(&moved, &lock);
	job->ended = true;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
}

static void done(struct task *task)
{
	assert_true(pthread_equal(pthread_self(), loop));
	((struct job *)task)->finished++;
}

static struct pool *new_pool(unsigned per_lane, unsigned threads, unsigned queued)
{
	return pool_new(wake, &(struct share){.total = threads, .user = per_lane, .sure = per_lane},
			queued, NICER);
}

static struct job new_job(uint32_t lane, bool stuck)
{
	return (struct job){.task = {.lane = lane, .run = run, .done = done}, .stuck = stuck};
}

static void wait_for(const bool *what)
{
	pthread_mutex_lock(&lock);
	while (!*what)
		pthread_cond_wait(&moved, &lock);
	pthread_mutex_unlock(&lock);
}

static bool has_started(const struct job *job)
{
	bool started;

	pthread_mutex_lock(&lock);
	started = job->started;
	pthread_mutex_unlock(&lock);
	return started;
}

static void let_in(struct job *job)
{
	pthread_mutex_lock(&lock);
	job->let_in = true;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
}

/* Waits as the event loop does: sleeps until the pool has finished tasks, then takes them. */
static void finish(struct pool *pool, const struct job *job)
{
	struct pollfd fd = {.fd = wake, .events = POLLIN};
	eventfd_t count;

	while (!job->finished) {
		assert_int_equal(poll(&fd, 1, -1), 1);
		eventfd_read(wake, &count);
		pool_finish(pool);
	}
	assert_int_equal(job->finished, 1);
}

static int begin(void **state)
{
	(void)state;
	loop = pthread_self();
	starts = 0;
	wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return wake < 0;
}

static int end(void **state)
{
	(void)state;
	close(wake);
	return 0;
}

static void runs_in_a_thread_and_finishes_in_the_loop(void **state)
{
	struct pool *pool = new_pool(2, 4, 10);
	struct job job = new_job(1, false);
	eventfd_t count;

	(void)state;
	assert_int_equal(eventfd_read(wake, &count), -1);
	pool_finish(pool);
	assert_int_equal(pool_submit(pool, &job.task), 0);
	finish(pool, &job);
	/* The task may be used again. */
	job.finished = 0;
	assert_int_equal(pool_submit(pool, &job.task), 0);
	finish(pool, &job);
	pool_close(pool);
	pool_close(NULL);
}

static void a_stuck_lane_holds_up_only_itself(void **state)
{
	struct pool *pool = new_pool(2, 8, 10);
	struct job stuck[3] = {new_job(1, true), new_job(1, true), new_job(1, true)};
	struct job other = new_job(2, false);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pool_submit(pool, &stuck[i].task), 0);
	wait_for(&stuck[0].started);
	wait_for(&stuck[1].started);
	assert_int_equal(pool_submit(pool, &other.task), 0);
	finish(pool, &other);
	assert_false(has_started(&stuck[2]));
	let_in(&stuck[0]);
	finish(pool, &stuck[0]);
	wait_for(&stuck[2].started);
	let_in(&stuck[1]);
	let_in(&stuck[2]);
	finish(pool, &stuck[1]);
	finish(pool, &stuck[2]);
	pool_close(pool);
}

static void no_more_threads_than_allowed(void **state)
{
	struct pool *pool = new_pool(1, 2, 10);
	struct job jobs[3] = {new_job(1, true), new_job(2, true), new_job(3, true)};

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pool_submit(pool, &jobs[i].task), 0);
	wait_for(&jobs[0].started);
	wait_for(&jobs[1].started);
	assert_false(has_started(&jobs[2]));
	let_in(&jobs[1]);
	wait_for(&jobs[2].started);
	let_in(&jobs[0]);
	let_in(&jobs[2]);
	for (int i = 0; i < 3; i++)
		finish(pool, &jobs[i]);
	pool_close(pool);
}

static void the_oldest_first(void **state)
{
	struct pool *pool = new_pool(1, 4, 10);
	struct job jobs[5];

	(void)state;
	for (int i = 0; i < 5; i++) {
		jobs[i] = new_job(7, i == 0);
		assert_int_equal(pool_submit(pool, &jobs[i].task), 0);
	}
	let_in(&jobs[0]);
	for (int i = 0; i < 5; i++)
		finish(pool, &jobs[i]);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(jobs[i].order, i + 1);
	pool_close(pool);
}

static void a_full_lane_is_refused(void **state)
{
	struct pool *pool = new_pool(1, 4, 2);
	struct job stuck = new_job(1, true), waiting[2] = {new_job(1, false), new_job(1, false)};
	struct job refused = new_job(1, false), other = new_job(2, false);

	(void)state;
	assert_int_equal(pool_submit(pool, &stuck.task), 0);
	wait_for(&stuck.started);
	assert_int_equal(pool_submit(pool, &waiting[0].task), 0);
	assert_int_equal(pool_submit(pool, &waiting[1].task), 0);
	assert_int_equal(pool_submit(pool, &refused.task), -EAGAIN);
	assert_int_equal(pool_submit(pool, &other.task), 0);
	finish(pool, &other);
	let_in(&stuck);
	finish(pool, &stuck);
	finish(pool, &waiting[0]);
	finish(pool, &waiting[1]);
	assert_int_equal(pool_submit(pool, &refused.task), 0);
	finish(pool, &refused);
	assert_int_equal(refused.order, 5);
	pool_close(pool);
}

/* With root's rights a thread gets its priority back for a task of root. */
static void users_tasks_are_nicer_than_the_loop(void **state)
{
	int usual = getpriority(PRIO_PROCESS, 0);
	struct pool *pool = new_pool(1, 1, 10);
	struct job first = new_job(0, false), users = new_job(5, false), last = new_job(0, false);

	(void)state;
	assert_int_equal(pool_submit(pool, &first.task), 0);
	finish(pool, &first);
	assert_int_equal(first.priority, usual);
	assert_int_equal(pool_submit(pool, &users.task), 0);
	finish(pool, &users);
	assert_int_equal(users.priority, usual + NICER < 19 ? usual + NICER : 19);
	assert_int_equal(pool_submit(pool, &last.task), 0);
	finish(pool, &last);
	if (!geteuid())
		assert_int_equal(last.priority, usual);
	assert_int_equal(getpriority(PRIO_PROCESS, 0), usual);
	pool_close(pool);
}

/* Hanging tasks of 20 users, as many as there are threads, leave root its part. */
static void root_gets_through(void **state)
{
	const struct share share = {.total = 20, .root = 4, .user = 4, .sure = 1};
	struct pool *pool = pool_new(wake, &share, 10, NICER);
	struct job stuck[80], roots[4], more = new_job(5, false);
	unsigned running = 0;

	(void)state;
	for (uint32_t i = 0; i < 80; i++) {
		stuck[i] = new_job(1 + i / 4, true);
		assert_int_equal(pool_submit(pool, &stuck[i].task), 0);
	}
	for (int i = 0; i < 4; i++) { /* which hang, too */
		roots[i] = new_job(0, true);
		assert_int_equal(pool_submit(pool, &roots[i].task), 0);
	}
	for (int i = 0; i < 4; i++)
		wait_for(&roots[i].started);
	for (int i = 0; i < 80; i++)
		running += has_started(&stuck[i]);
	assert_true(running <= 16);
	/* The first two users have four tasks running each, and the next eight users one each. */
	for (int i = 0; i < 80; i++) {
		if (i < 8 || (i % 4 == 0 && i / 4 < 10))
			wait_for(&stuck[i].started);
	}
	for (int i = 0; i < 4; i++)
		let_in(&roots[i]);
	for (int i = 0; i < 80; i++)
		let_in(&stuck[i]);
	for (int i = 0; i < 80; i++)
		finish(pool, &stuck[i]);
	for (int i = 0; i < 4; i++)
		finish(pool, &roots[i]);
	assert_int_equal(pool_submit(pool, &more.task), 0);
	finish(pool, &more);
	pool_close(pool);
}

static struct pool *again_pool;

static void submit_again(struct task *task)
{
	struct job *job = (struct job *)task;

	if (++job->finished == 1) {
		job->finished = 0;
		task->done = done;
		assert_int_equal(pool_submit(again_pool, task), 0);
	}
}

static void done_may_submit_again(void **state)
{
	struct job job = new_job(1, false);

	(void)state;
	again_pool = new_pool(1, 1, 1);
	job.task.done = submit_again;
	assert_int_equal(pool_submit(again_pool, &job.task), 0);
	finish(again_pool, &job);
	assert_int_equal(job.order, 2);
	pool_close(again_pool);
}

/* With many lanes and few threads, each task is run once and finished once. */
static void none_is_lost(void **state)
{
	enum { COUNT = 2000 };
	struct pool *pool = new_pool(2, 8, COUNT);
	struct job *jobs = calloc(COUNT, sizeof(*jobs));

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		jobs[i] = new_job(i % 13, false);
		assert_int_equal(pool_submit(pool, &jobs[i].task), 0);
		if (i % 5 == 0)
			pool_finish(pool);
	}
	for (int i = 0; i < COUNT; i++)
		if (!jobs[i].finished)
			finish(pool, &jobs[i]);
	assert_int_equal(starts, COUNT);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(jobs[i].finished, 1);
	pool_close(pool);
	free(jobs);
}

static size_t count_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *entry;
	size_t count = 0;

	assert_non_null(tasks);
	while ((entry = readdir(tasks)))
		count += entry->d_name[0] != '.';
	closedir(tasks);
	return count;
}

/*
 * One task after the other needs one thread, whichever of the idle ones the kernel wakes. Runs
 * first: threads of a closed pool may still be ending, and would be counted.
 */
static void threads_that_are_not_needed_end(void **state)
{
	struct pool *pool = new_pool(8, 8, 10);
	struct job jobs[8];
	size_t most;

	(void)state;
	for (int i = 0; i < 8; i++) {
		jobs[i] = new_job(1, true);
		assert_int_equal(pool_submit(pool, &jobs[i].task), 0);
		wait_for(&jobs[i].started);
	}
	most = count_threads();
	for (int i = 0; i < 8; i++)
		let_in(&jobs[i]);
	for (int i = 0; i < 8; i++)
		finish(pool, &jobs[i]);
	/* Takes as long as a thread may be idle, or two times. */
	while (count_threads() > most - 7) {
		jobs[0] = new_job(1, false);
		assert_int_equal(pool_submit(pool, &jobs[0].task), 0);
		finish(pool, &jobs[0]);
		usleep(10000);
	}
	pool_close(pool);
}

/* A leak shows under the address sanitizer. */
static void the_last_thread_that_is_left_frees_the_pool(void **state)
{
	struct pool *pool = new_pool(1, 1, 1);
	size_t before = count_threads();
	struct job job = new_job(1, true);

	(void)state;
	assert_int_equal(pool_submit(pool, &job.task), 0);
	wait_for(&job.started);
	pool_close(pool);
	let_in(&job);
	wait_for(&job.ended);
	while (count_threads() > before)
		sched_yield();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(threads_that_are_not_needed_end, begin, end),
		cmocka_unit_test_setup_teardown(runs_in_a_thread_and_finishes_in_the_loop, begin,
						end),
		cmocka_unit_test_setup_teardown(users_tasks_are_nicer_than_the_loop, begin, end),
		cmocka_unit_test_setup_teardown(a_stuck_lane_holds_up_only_itself, begin, end),
		cmocka_unit_test_setup_teardown(no_more_threads_than_allowed, begin, end),
		cmocka_unit_test_setup_teardown(the_oldest_first, begin, end),
		cmocka_unit_test_setup_teardown(a_full_lane_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(root_gets_through, begin, end),
		cmocka_unit_test_setup_teardown(done_may_submit_again, begin, end),
		cmocka_unit_test_setup_teardown(none_is_lost, begin, end),
		cmocka_unit_test_setup_teardown(the_last_thread_that_is_left_frees_the_pool, begin,
						end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
