/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report.h - what was measured, and how it is printed
 */
#ifndef PMEM2FS_BENCH_REPORT_H
#define PMEM2FS_BENCH_REPORT_H

#include "bench/comparison.h"
#include "bench/copy_results.h"
#include "bench/memory.h"
#include "bench/options.h"
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define REPORT_ROWS_MAX 128

struct report {
	const struct options *options;
	int cpu;                 /* that bench runs on */
	unsigned busy_cpus;      /* others that were kept busy meanwhile */
	char scratch_fs[32];     /* kind of file system of options.scratch */
	char library[PATH_MAX];  /* file that ours was; empty: none was needed */
	char libpmem2[PATH_MAX]; /* file that the other library was; empty: there is none */
	size_t document_size;    /* bytes of the first document */
	size_t busy;             /* times that rm said EBUSY and was repeated */
	bool complete;           /* everything that was asked for was measured */
	bool skipped;            /* except what needs a library or a program that is missing */
	struct comparison_row rows[REPORT_ROWS_MAX];
	size_t row_count;
	struct copy_results *copies;
	bool have_memory;
	struct memory_usage keeper, worker;
};

/* Measures and adds the rows. */
int report_measure(struct report *report, const struct comparison_plan *plan);

/* Prints the report as a table or as JSON. Returns 0, or -ENOMEM, or -EIO. */
int report_print(const struct report *report);

/* How many targets were missed. */
unsigned report_missed(const struct report *report);

#endif
