/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_threads.c - what several threads get done together
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/threads.h"
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>

struct deed {
	_Atomic size_t done[THREADS_MAX];
	_Atomic size_t together; /* operations until all threads were at work */
	unsigned threads;
	size_t ahead; /* what the first thread does before the last one ends its first operation */
	unsigned fails; /* the thread that fails at its 5th operation; THREADS_MAX: none */
};

static cpu_set_t cpus(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	return set;
}

static int work(void *context, unsigned thread)
{
	struct deed *deed = context;
	bool all = true;

	if (++deed->done[thread] == 5 && thread == deed->fails)
		return -EBADF;
	for (unsigned i = 0; i < deed->threads; i++)
		all = all && deed->done[i];
	deed->together += !all;
	/* The last thread is at its first operation while the first one is far ahead. */
	while (thread && thread == deed->threads - 1 && deed->done[0] < deed->ahead)
		sched_yield();
	return 0;
}

static void test_all_work(void **state)
{
	cpu_set_t set = cpus();

	(void)state;
	for (unsigned threads = 1; threads <= THREADS_MAX; threads++) {
		struct deed deed = {.threads = threads, .ahead = 1000, .fails = THREADS_MAX};
		struct sample sample = {0};
		size_t sum = 0;

		assert_int_equal(threads_measure(threads, &set, work, &deed, &sample), 0);
		for (unsigned i = 0; i < THREADS_MAX; i++) {
			assert_int_equal(deed.done[i] > 0, i < threads);
			sum += deed.done[i];
		}
		assert_true(sample.ns > 0);
		assert_true(sample.operations > 0);
		/* What was done while a thread had not begun does not count. */
		assert_true(sample.operations + deed.together <= sum);
	}
}

static void test_error_of_a_thread(void **state)
{
	cpu_set_t set = cpus();

	(void)state;
	for (unsigned fails = 0; fails < 3; fails++) {
		struct deed deed = {.threads = 3, .fails = fails};
		struct sample sample;

		assert_int_equal(threads_measure(3, &set, work, &deed, &sample), -EBADF);
		assert_int_equal(deed.done[fails], 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_work),
		cmocka_unit_test(test_error_of_a_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
