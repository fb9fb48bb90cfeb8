// SPDX-License-Identifier: BSD-3-Clause
/*
 * threads.c - how much several threads get done together
 *
 * Threads that each do a number of operations and take their own time are alone for a part of it:
 * one begins late and one ends early, and together they seem faster than they are. Here they work
 * until they are stopped, and are counted between two moments at which all of them are at work.
 * Calls message.c.
 */
#include "bench/threads.h"
#include "base/clock.h"
#include "bench/message.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define WARM_UP 10       /* operations of each thread that do not count */
#define WINDOW  10000000 /* ns in which they are counted */
#define POLL    100000   /* ns */

/* Each on cache lines of its own, so that counting does not slow down the others. */
struct worker {
	_Alignas(128) _Atomic size_t done;
	_Atomic bool ended; /* also by an error */
	int err;
	unsigned number;
	const struct crew *crew;
	pthread_t thread;
};

struct crew {
	threads_work *work;
	void *context;
	const cpu_set_t *cpus;
	_Alignas(128) _Atomic bool stop;
};

/* Moves the calling thread to one of the CPUs. */
static void move_to(const cpu_set_t *cpus, unsigned which)
{
	cpu_set_t set;
	int cpu = -1;

	do {
		cpu++;
	} while (!CPU_ISSET(cpu, cpus) || which--);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *work_until_stopped(void *arg)
{
	struct worker *worker = arg;
	const struct crew *crew = worker->crew;
	size_t done = 0;

	move_to(crew->cpus, worker->number % (unsigned)CPU_COUNT(crew->cpus));
	while (!worker->err && !atomic_load_explicit(&crew->stop, memory_order_relaxed)) {
		worker->err = crew->work(crew->context, worker->number);
		atomic_store_explicit(&worker->done, ++done, memory_order_relaxed);
	}
	atomic_store(&worker->ended, true);
	return NULL;
}

static void pause_for(long ns)
{
	nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

/* Waits until a thread has done so much, or has ended with an error. */
static void wait_for_operations(const struct worker *worker, size_t done)
{
	while (atomic_load_explicit(&worker->done, memory_order_relaxed) < done &&
	       !atomic_load(&worker->ended))
		pause_for(POLL);
}

static size_t sum_of(const struct worker *workers, unsigned count)
{
	size_t sum = 0;

	for (unsigned i = 0; i < count; i++)
		sum += atomic_load_explicit(&workers[i].done, memory_order_relaxed);
	return sum;
}

static void count_for_a_while(const struct worker *workers, unsigned count, struct sample *sample)
{
	uint64_t start;
	size_t before;

	for (unsigned i = 0; i < count; i++)
		wait_for_operations(&workers[i], WARM_UP);
	before = sum_of(workers, count);
	start = clock_now();
	pause_for(WINDOW);
	/* Other processes may have had the CPUs. */
	wait_for_operations(&workers[0],
			    atomic_load_explicit(&workers[0].done, memory_order_relaxed) + 1);
	sample->operations = sum_of(workers, count) - before;
	sample->ns = clock_now() - start;
}

int threads_measure(unsigned count, const cpu_set_t *cpus, threads_work *work, void *context,
		    struct sample *sample)
{
	struct crew crew = {.work = work, .context = context, .cpus = cpus};
	struct worker workers[THREADS_MAX] = {0};
	unsigned started = 0;
	int err = 0;

	for (; !err && started < count; started += !err) {
		struct worker *worker = &workers[started];

		worker->number = started;
		worker->crew = &crew;
		err = -pthread_create(&worker->thread, NULL, work_until_stopped, worker);
	}
	if (err)
		message_error("a thread: %s", strerror(-err));
	else
		count_for_a_while(workers, count, sample);
	atomic_store(&crew.stop, true);
	for (unsigned i = 0; i < started; i++) {
		pthread_join(workers[i].thread, NULL);
		if (!err)
			err = workers[i].err;
	}
	return err;
}
