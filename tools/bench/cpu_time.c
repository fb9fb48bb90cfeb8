// SPDX-License-Identifier: BSD-3-Clause
/*
 * cpu_time.c - how long the daemon and a command kept a CPU busy
 *
 * Of programs the kernel adds the time when they are waited for. Calls worker.c and message.c.
 */
#include "bench/cpu_time.h"
#include "bench/message.h"
#include "bench/worker.h"
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

int cpu_time_find(struct cpu_time *clocks, pid_t keeper)
{
	pid_t worker;
	int err = worker_find(keeper, &worker);

	if (err)
		return err;
	err = clock_getcpuclockid(keeper, &clocks->keeper);
	if (!err)
		err = clock_getcpuclockid(worker, &clocks->worker);
	if (err)
		message_error("no CPU time of the daemon: %s", strerror(err));
	return -err;
}

int cpu_time_of_daemon(const struct cpu_time *clocks, uint64_t *ns)
{
	struct timespec keeper, worker;

	if (clock_gettime(clocks->keeper, &keeper) || clock_gettime(clocks->worker, &worker)) {
		message_error("a process of the daemon has ended");
		return -ESRCH;
	}
	*ns = (uint64_t)(keeper.tv_sec + worker.tv_sec) * 1000000000 +
	      (uint64_t)(keeper.tv_nsec + worker.tv_nsec);
	return 0;
}

static uint64_t usage_of(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

uint64_t cpu_time_of_commands(void)
{
	return usage_of(RUSAGE_SELF) + usage_of(RUSAGE_CHILDREN);
}
