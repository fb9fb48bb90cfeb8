/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arena.h - sides that map and unmap, each in a process with live mappings of its own
 */
#ifndef PMEM2FS_BENCH_ARENA_H
#define PMEM2FS_BENCH_ARENA_H

#include "bench/bench.h"
#include "bench/comparison.h"
#include "bench/library.h"
#include "bench/report.h"
#include "bench/side_process.h"

/* Untouched pages cost nothing, so the length does not matter; below a huge page to keep it so. */
#define BENCH_ARENA_LENGTH (1024u * 1024)

/* How a side is to map; bit 0 is arena.c's. */
enum {
	BENCH_ORDER_FRESH = 1 << 1,  /* with a source and a configuration made for each pair */
	BENCH_ORDER_TWO = 1 << 2,    /* by two threads at the same time */
	BENCH_ORDER_SHARED = 1 << 3, /* which use the same source and configuration */
};

/* Whether a side is to publish. */
enum bench_shown {
	BENCH_ANYHOW,
	BENCH_SHOWN,
	BENCH_HIDDEN, /* PMEM2FS=off */
};

/* What a side uses and how many live mappings it has. */
struct bench_contender {
	const struct library *library; /* NULL: mmap and munmap */
	size_t live;
	enum bench_shown shown;
};

#define BENCH_CONTENDERS_MAX 3

/* Contenders that map the same subject, each in a process of its own. */
struct bench_arena {
	struct report *report;
	const cpu_set_t *cpus;
	struct side_process sides[BENCH_CONTENDERS_MAX];
	unsigned order; /* for all of them */
};

/* A file of tmpfs to map. Returns a descriptor, or a negative errno after a message. */
int bench_arena_file(void);

/*
 * Starts the contenders, which map `fd` (-1: anonymous memory). Returns 0 or a negative errno after
 * a message, also when those with as many live mappings do not map the same.
 */
int bench_arena_open(struct bench_arena *arena, const struct bench_contender *contenders,
		     unsigned count, int fd);
void bench_arena_close(struct bench_arena *arena);

/* Carries the plan out, of which name, what and peers are set. */
int bench_arena_measure(struct bench_arena *arena, struct comparison_plan plan, unsigned order);

#endif
