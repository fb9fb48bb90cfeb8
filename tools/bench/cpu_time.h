/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpu_time.h - how long the daemon and a command kept a CPU busy
 */
#ifndef PMEM2FS_BENCH_CPU_TIME_H
#define PMEM2FS_BENCH_CPU_TIME_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* The clocks of a daemon's processes, which count the time of all their threads. */
struct cpu_time {
	clockid_t keeper, worker;
};

/* Finds the clocks. Returns 0 or a negative errno after a message. */
int cpu_time_find(struct cpu_time *clocks, pid_t keeper);

/* Nanoseconds of keeper and worker. Returns 0 or a negative errno after a message. */
int cpu_time_of_daemon(const struct cpu_time *clocks, uint64_t *ns);

/* Nanoseconds of this process and of the programs that it ran and that have ended. */
uint64_t cpu_time_of_commands(void);

#endif
