/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * threads.h - how much several threads get done together
 */
#ifndef PMEM2FS_BENCH_THREADS_H
#define PMEM2FS_BENCH_THREADS_H

#include "bench/comparison.h"
#include <sched.h>

#define THREADS_MAX 4

/* Does one operation in one of the threads. Returns 0 or a negative errno after a message. */
typedef int threads_work(void *context, unsigned thread);

/*
 * Has threads work for a while, spread over the CPUs. Fills in how many operations they did
 * together, while all of them were at work. Returns 0 or a negative errno after a message.
 */
int threads_measure(unsigned count, const cpu_set_t *cpus, threads_work *work, void *context,
		    struct sample *sample);

#endif
