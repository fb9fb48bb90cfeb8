/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * busy.h - other CPUs that have work to do meanwhile
 */
#ifndef PMEM2FS_BENCH_BUSY_H
#define PMEM2FS_BENCH_BUSY_H

#include <sched.h>
#include <sys/types.h>

struct busy {
	pid_t pid[CPU_SETSIZE]; /* a process for each CPU */
	unsigned count;
};

/*
 * Keeps all of the CPUs busy but one, until busy_stop, which must be called after a failure, too.
 * Returns 0 or a negative errno after a message.
 */
int busy_start(struct busy *busy, const cpu_set_t *cpus, int except);

void busy_stop(struct busy *busy);

#endif
