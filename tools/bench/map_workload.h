/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map_workload.h - sides that map and unmap, each in a process with live mappings of its own
 */
#ifndef PMEM2FS_BENCH_MAP_WORKLOAD_H
#define PMEM2FS_BENCH_MAP_WORKLOAD_H

#include "bench/comparison.h"
#include "bench/library.h"
#include "bench/report.h"
#include "bench/side_process.h"
#include <sched.h>

/* Untouched pages cost nothing, so the length does not matter; below a huge page to keep it so. */
#define MAP_WORKLOAD_LENGTH (1024u * 1024)

/* How a side is to map; bit 0 is the .c file's. */
enum {
	MAP_ORDER_FRESH = 1 << 1,  /* with a source and a configuration made for each pair */
	MAP_ORDER_SHARED = 1 << 2, /* with one source and configuration for all threads */
	MAP_ORDER_THREAD = 1 << 3, /* times the threads that do so together; 0: no extra thread */
};

/* Whether a side is to publish. */
enum map_publishing {
	MAP_PUBLISHING_ANY,
	MAP_PUBLISHING_ON,
	MAP_PUBLISHING_OFF, /* PMEM2FS=off */
};

/* What a side uses and how many live mappings it has. */
struct map_side {
	const struct library *library; /* NULL: mmap and munmap */
	size_t live;
	enum map_publishing publishing;
	bool alone; /* of the threads of an order it has one */
};

#define MAP_SIDES_MAX 3

/* Sides that map the same file, each in a process of its own. */
struct map_workload {
	struct report *report;
	const cpu_set_t *cpus;
	struct side_process sides[MAP_SIDES_MAX];
	unsigned order; /* for all of them */
	unsigned dead;  /* the side that died, after -EPIPE */
};

/* A file of tmpfs to map. Returns a descriptor, or a negative errno after a message. */
int map_workload_file(void);

/*
 * Starts the sides, which map `fd` (-1: anonymous memory). Returns 0 or a negative errno after
 * a message, also when those with as many live mappings do not map the same.
 */
int map_workload_start(struct map_workload *workload, const struct map_side *sides, unsigned count,
		       int fd);
void map_workload_stop(struct map_workload *workload);

/* Carries the plan out, of which name, what and peers are set. */
int map_workload_measure(struct map_workload *workload, struct comparison_plan plan,
			 unsigned order);

#endif
