/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_busy.c - processes that keep CPUs busy
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/busy.h"
#include <errno.h>
#include <signal.h>
#include <time.h>

/* Waits until the process is on one CPU alone, and returns which. */
static int cpu_of(pid_t pid)
{
	cpu_set_t set;

	do {
		sched_yield();
		assert_int_equal(sched_getaffinity(pid, sizeof(set), &set), 0);
	} while (CPU_COUNT(&set) > 1);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			return cpu;
	return -1;
}

static void wait_until_it_works(pid_t pid)
{
	struct timespec used = {0};
	clockid_t clock;

	assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
	while (used.tv_sec == 0 && used.tv_nsec < 20 * 1000 * 1000) {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		assert_int_equal(clock_gettime(clock, &used), 0);
	}
}

/* Without `except` where there is no such CPU. */
static void keep_busy(const cpu_set_t *cpus, int except)
{
	static struct busy busy;
	cpu_set_t seen;
	pid_t last;

	CPU_ZERO(&seen);
	assert_int_equal(busy_start(&busy, cpus, except), 0);
	assert_int_equal(busy.count, CPU_COUNT(cpus) - (except >= 0));
	for (unsigned i = 0; i < busy.count; i++) {
		int cpu = cpu_of(busy.pid[i]);

		assert_true(CPU_ISSET(cpu, cpus) && cpu != except && !CPU_ISSET(cpu, &seen));
		CPU_SET(cpu, &seen);
		wait_until_it_works(busy.pid[i]);
	}
	last = busy.count ? busy.pid[busy.count - 1] : 0;
	busy_stop(&busy);
	assert_int_equal(busy.count, 0);
	if (last)
		assert_true(kill(last, 0) && errno == ESRCH);
}

static void test_all_but_one(void **state)
{
	cpu_set_t cpus;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	keep_busy(&cpus, -1);
	for (int cpu = 0, left = 2; cpu < CPU_SETSIZE && left; cpu++) {
		if (CPU_ISSET(cpu, &cpus)) {
			keep_busy(&cpus, cpu);
			left--;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_but_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
