/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench.h - what the parts of bench share
 */
#ifndef PMEM2FS_BENCH_H
#define PMEM2FS_BENCH_H

#include "bench/comparison.h"
#include "bench/fixture.h"
#include "bench/library.h"
#include "bench/options.h"
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_ROWS_MAX 64

struct bench_cells;

/* Resident memory of one process: without mappings, with all of them, after they are removed. */
struct bench_memory {
	uint64_t rss[3], pss[3]; /* bytes */
};

struct bench_report {
	const struct options *options;
	int cpu;                 /* that bench runs on */
	char scratch_fs[32];     /* kind of file system of options.scratch */
	char library[PATH_MAX];  /* file that ours was; empty: none was needed */
	char libpmem2[PATH_MAX]; /* file that the other library was; empty: there is none */
	size_t document_size;    /* bytes of the first document */
	size_t busy;             /* times that rm said EBUSY and was repeated */
	bool complete;           /* all that was wanted was measured */
	bool skipped;            /* but for what needs the other library, which is not there */
	struct comparison_row rows[BENCH_ROWS_MAX];
	size_t row_count;
	struct bench_cells *cells; /* of cells.h */
	bool have_memory;
	struct bench_memory keeper, worker;
};

/* Measures and adds the rows. */
int bench_report_measure(struct bench_report *report, const struct comparison_plan *plan);

/* Prints the report as a table or as JSON. Returns 0, or -ENOMEM, or -EIO. */
int bench_report_print(const struct bench_report *report);

/* How many targets were missed. */
unsigned bench_report_missed(const struct bench_report *report);

/* fs.c: mappings as files, against files on tmpfs */
int bench_fs(const struct fixture *fixture, struct bench_report *report);

struct library;

/* crowd.c: a listing of the mappings of many processes, against a folder of tmpfs */
int bench_crowd(const struct fixture *fixture, const struct library *ours,
		struct bench_report *report);

/*
 * map.c: our library, against mmap and munmap and, if it is there, the other library. May use
 * all of `cpus`.
 */
int bench_map(const struct library *ours, const struct library *other, const cpu_set_t *cpus,
	      struct bench_report *report);

/* publish.c: our library, showing its mappings to a daemon or not */
int bench_publish(const struct library *ours, const cpu_set_t *cpus, struct bench_report *report);

/* copy.c: persist, memcpy, memmove and memset, against the other library */
int bench_copy(const struct library *ours, const struct library *other,
	       struct bench_report *report);

/* memory.c: what the daemon's processes occupy */

/* Takes sample `when` (0..2) of the keeper and its worker. */
int bench_memory_sample(pid_t keeper, unsigned when, struct bench_report *report);

#endif
