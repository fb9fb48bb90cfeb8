/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * copy_results.h - many small comparisons with the other library: for each function a table with a
 * line per size and a variant per variant of the call
 */
#ifndef PMEM2FS_BENCH_COPY_RESULTS_H
#define PMEM2FS_BENCH_COPY_RESULTS_H

#include "bench/comparison.h"
#include "bench/options.h"
#include "bench/statistics.h"
#include <jansson.h>
#include <libpmem2.h>

/* A way to call persist or a copy function. */
struct copy_variant {
	const char *heading[2];
	const char *flag; /* name of `flags`, NULL: none */
	enum pmem2_granularity granularity;
	unsigned flags;
	bool unaligned;
};

#define COPY_VARIANTS       9
#define COPY_PLAIN_VARIANTS 6 /* the first ones: those without flags */
#define COPY_RESULTS_MAX    1024

extern const struct copy_variant copy_variants[COPY_VARIANTS];

/* One function with one size, called in one way. */
struct copy_result {
	enum measurement function;
	unsigned variant;
	size_t size;
	struct comparison_row row; /* ours and the other library */
	struct quartiles equal;    /* ratios of the other library to itself */
	double raw;                /* ratio of ours to msync, 0: is no such thing */
	unsigned trials;           /* how often it was measured; the last one counts */
};

struct copy_results {
	struct copy_result list[COPY_RESULTS_MAX]; /* by function, then by size, then by variant */
	size_t count;
	double noise; /* of the run: three results out of four had less */
};

/* Notes the noise of the run. */
void copy_results_note_noise(struct copy_results *results);

/*
 * Whether ours is slower than the other library by more than the noise: that of the run, or that
 * of the result where it is larger.
 */
bool copy_result_is_slower(const struct copy_results *results, const struct copy_result *result);

/* How many are slower. */
size_t copy_results_slower(const struct copy_results *results);

/* Whether there is a size that is slower, and whether the geometric mean of all is not faster. */
unsigned copy_results_missed(const struct copy_results *results);

void copy_results_print(const struct copy_results *results);

/* A JSON object of all, or NULL without memory. */
json_t *copy_results_json(const struct copy_results *results);

#endif
