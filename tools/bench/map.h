/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.h - our library, against mmap and munmap and, if it is there, the other library
 */
#ifndef PMEM2FS_BENCH_MAP_H
#define PMEM2FS_BENCH_MAP_H

#include "bench/library.h"
#include "bench/report.h"
#include <sched.h>

/* May use all of `cpus`. Returns 0 or a negative errno after a message. */
int map_measure(const struct library *ours, const struct library *other, const cpu_set_t *cpus,
		struct report *report);

#endif
