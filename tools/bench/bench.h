/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench.h - what the parts of bench share
 */
#ifndef PMEM2FS_BENCH_H
#define PMEM2FS_BENCH_H

#include "bench/fixture.h"
#include "bench/library.h"
#include "bench/report.h"
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* fs.c: mappings as files, against files on tmpfs */
int bench_fs(const struct fixture *fixture, struct report *report);

struct library;

/* crowd.c: a listing of the mappings of many processes, against a folder of tmpfs */
int bench_crowd(const struct fixture *fixture, const struct library *ours, struct report *report);

/*
 * map.c: our library, against mmap and munmap and, if it is there, the other library. May use
 * all of `cpus`.
 */
int bench_map(const struct library *ours, const struct library *other, const cpu_set_t *cpus,
	      struct report *report);

/* publish.c: our library, showing its mappings to a daemon or not */
int bench_publish(const struct library *ours, const cpu_set_t *cpus, struct report *report);

/* copy.c: persist, memcpy, memmove and memset, against the other library */
int bench_copy(const struct library *ours, const struct library *other, struct report *report);

#endif
