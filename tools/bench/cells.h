/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cells.h - many small comparisons with the other library: for each function a table with a
 * line per size and a column per way to call it
 */
#ifndef PMEM2FS_BENCH_CELLS_H
#define PMEM2FS_BENCH_CELLS_H

#include "bench/bench.h"
#include "bench/comparison.h"
#include "bench/options.h"
#include "bench/statistics.h"
#include <jansson.h>
#include <libpmem2.h>

/* A way to call persist or a copy function. */
struct bench_column {
	const char *heading[2];
	const char *flag; /* name of `flags`, NULL: none */
	enum pmem2_granularity granularity;
	unsigned flags;
	bool unaligned;
};

#define BENCH_COLUMNS       9
#define BENCH_PLAIN_COLUMNS 6 /* the first ones: those without flags */
#define BENCH_CELLS_MAX     1024

extern const struct bench_column bench_columns[BENCH_COLUMNS];

/* One function with one size, called in one way. */
struct bench_cell {
	enum measurement function;
	unsigned column;
	size_t size;
	struct comparison_row row; /* ours and the other library */
	struct quartiles equal;    /* ratios of the other library to itself */
	double raw;                /* ratio of ours to msync, 0: is no such thing */
	unsigned trials;           /* how often it was measured; the last one counts */
};

struct bench_cells {
	struct bench_cell cells[BENCH_CELLS_MAX]; /* by function, then by size, then by column */
	size_t count;
	double noise; /* of the run: three cells out of four had less */
};

/* Notes the noise of the run. */
void bench_cells_take_noise(struct bench_cells *cells);

/*
 * Whether ours is slower than the other library by more than the noise: that of the run, or that
 * of the cell where it is larger.
 */
bool bench_cell_slower(const struct bench_cells *cells, const struct bench_cell *cell);

/* How many are slower. */
size_t bench_cells_slower(const struct bench_cells *cells);

/* Whether there is a size that is slower, and whether the geometric mean of all is not faster. */
unsigned bench_cells_missed(const struct bench_cells *cells);

void bench_cells_print(const struct bench_cells *cells);

/* A JSON object of all, or NULL without memory. */
json_t *bench_cells_json(const struct bench_cells *cells);

#endif
