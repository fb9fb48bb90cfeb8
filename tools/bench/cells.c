// SPDX-License-Identifier: BSD-3-Clause
/*
 * cells.c - the tables of persist and the copy functions
 *
 * People see ratios only, a line per size; programs get everything.
 */
#include "bench/cells.h"
#include "bench/library.h"
#include "bench/options.h"
#include "bench/statistics.h"
#include <stdio.h>
#include <string.h>

#define SLOWER_SHOWN 20

const struct bench_column bench_columns[BENCH_COLUMNS] = {
	{{"byte", ""}, NULL, PMEM2_GRANULARITY_BYTE, 0, false},
	{{"byte", "odd"}, NULL, PMEM2_GRANULARITY_BYTE, 0, true},
	{{"line", ""}, NULL, PMEM2_GRANULARITY_CACHE_LINE, 0, false},
	{{"line", "odd"}, NULL, PMEM2_GRANULARITY_CACHE_LINE, 0, true},
	{{"page", ""}, NULL, PMEM2_GRANULARITY_PAGE, 0, false},
	{{"page", "odd"}, NULL, PMEM2_GRANULARITY_PAGE, 0, true},
	{{"line", "nodrain"}, "nodrain", PMEM2_GRANULARITY_CACHE_LINE, PMEM2_F_MEM_NODRAIN, false},
	{{"line", "nontemp."},
	 "nontemporal",
	 PMEM2_GRANULARITY_CACHE_LINE,
	 PMEM2_F_MEM_NONTEMPORAL,
	 false},
	{{"line", "temporal"},
	 "temporal",
	 PMEM2_GRANULARITY_CACHE_LINE,
	 PMEM2_F_MEM_TEMPORAL,
	 false},
};

static const char *const granularities[] = {"byte", "cache_line", "page"};

static const char *function_name(enum measurement function)
{
	switch (function) {
	case MEASURE_PERSIST:
		return "persist";
	case MEASURE_MEMCPY:
		return "memcpy";
	case MEASURE_MEMMOVE:
		return "memmove";
	default:
		return "memset";
	}
}

/* Which cells a mean is of. */
struct choice {
	int function, column, granularity; /* -1: any */
};

static bool chosen(const struct bench_cell *cell, const struct choice *choice)
{
	return (choice->function < 0 || (int)cell->function == choice->function) &&
	       (choice->column < 0 || (int)cell->column == choice->column) &&
	       (choice->granularity < 0 ||
		(int)bench_columns[cell->column].granularity == choice->granularity);
}

/* The geometric mean of the ratios of the chosen cells, 0: there are none. */
static double mean(const struct bench_cells *cells, struct choice choice)
{
	double ratios[BENCH_CELLS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < cells->count; i++)
		if (chosen(&cells->cells[i], &choice))
			ratios[count++] = cells->cells[i].row.ratio.median;
	return count ? statistics_geometric_mean(ratios, count) : 0;
}

static double mean_of_all(const struct bench_cells *cells)
{
	return mean(cells, (struct choice){-1, -1, -1});
}

void bench_cells_take_noise(struct bench_cells *cells)
{
	double noises[BENCH_CELLS_MAX];

	for (size_t i = 0; i < cells->count; i++)
		noises[i] = statistics_noise(&cells->cells[i].equal);
	if (cells->count)
		cells->noise = statistics_quartiles(noises, cells->count).high;
}

static double noise_of(const struct bench_cells *cells, const struct bench_cell *cell)
{
	double own = statistics_noise(&cell->equal);

	return own > cells->noise ? own : cells->noise;
}

bool bench_cell_slower(const struct bench_cells *cells, const struct bench_cell *cell)
{
	return statistics_slower(&cell->row.ratio, noise_of(cells, cell));
}

size_t bench_cells_slower(const struct bench_cells *cells)
{
	size_t slower = 0;

	for (size_t i = 0; i < cells->count; i++)
		slower += bench_cell_slower(cells, &cells->cells[i]);
	return slower;
}

unsigned bench_cells_missed(const struct bench_cells *cells)
{
	return cells->count ? (bench_cells_slower(cells) > 0) + (mean_of_all(cells) >= 1) : 0;
}

static void print_heading(enum measurement function, unsigned columns)
{
	for (unsigned line = 0; line < 2; line++) {
		printf("%-9s", line ? "" : function_name(function));
		for (unsigned column = 0; column < columns; column++)
			printf(" %9s", bench_columns[column].heading[line]);
		printf("%s\n", function != MEASURE_PERSIST ? ""
			       : line                      ? "    /msync"
							   : "      page");
	}
}

static void print_size(size_t size)
{
	char text[32];

	if (size >= 1024 * 1024 && size % (1024 * 1024) == 0)
		snprintf(text, sizeof(text), "%zu MiB", size / (1024 * 1024));
	else if (size >= 1024 && size % 1024 == 0)
		snprintf(text, sizeof(text), "%zu KiB", size / 1024);
	else
		snprintf(text, sizeof(text), "%zu B", size);
	printf("%9s", text);
}

/* Prints the line that begins with this cell. Returns the cell behind it. */
static const struct bench_cell *print_line(const struct bench_cells *cells,
					   const struct bench_cell *cell,
					   const struct bench_cell *end, unsigned columns)
{
	size_t size = cell->size;
	double raw = 0;

	print_size(size);
	for (unsigned column = 0; column < columns; column++) {
		if (cell == end || cell->size != size || cell->column != column) {
			printf(" %9s", "");
			continue;
		}
		printf("  %7.2f%c", cell->row.ratio.median,
		       bench_cell_slower(cells, cell) ? '!' : ' ');
		if (cell->raw > 0 && !raw)
			raw = cell->raw;
		cell++;
	}
	if (raw > 0)
		printf("  %7.2f", raw);
	printf("\n");
	return cell;
}

static void print_function(const struct bench_cells *cells, enum measurement function)
{
	const struct bench_cell *cell = cells->cells, *end = cell + cells->count;
	unsigned columns = function == MEASURE_PERSIST ? BENCH_PLAIN_COLUMNS : BENCH_COLUMNS;

	while (cell < end && cell->function != function)
		cell++;
	if (cell == end)
		return;
	print_heading(function, columns);
	while (cell < end && cell->function == function) {
		const struct bench_cell *line_end = cell;

		while (line_end < end && line_end->function == function)
			line_end++;
		cell = print_line(cells, cell, line_end, columns);
	}
	printf("%9s", "mean");
	for (unsigned column = 0; column < columns; column++)
		printf("  %7.2f ", mean(cells, (struct choice){(int)function, (int)column, -1}));
	printf("\n\n");
}

void bench_cells_print(const struct bench_cells *cells)
{
	size_t slower = bench_cells_slower(cells);
	double all = mean_of_all(cells);

	if (!cells->count)
		return;
	printf("Ratios of ours to libpmem2 by granularity, at aligned addresses and at odd ones; "
	       "page /msync: to msync.\n\n");
	for (int function = MEASURE_PERSIST; function <= MEASURE_MEMSET; function++)
		print_function(cells, (enum measurement)function);
	printf("geometric means:");
	for (int granularity = 0; granularity < 3; granularity++) {
		double of_it = mean(cells, (struct choice){-1, -1, granularity});

		if (of_it > 0)
			printf(" %s %.3f,", granularities[granularity], of_it);
	}
	printf(" all %zu %.3f  < 1 %s\n", cells->count, all, all < 1 ? "ok" : "MISSED");
	printf("slower than libpmem2 by more than the noise (!): %zu  <= 0 %s\n", slower,
	       slower ? "MISSED" : "ok");
	for (size_t i = 0, shown = 0; i < cells->count && shown < SLOWER_SHOWN; i++) {
		const struct bench_cell *cell = &cells->cells[i];
		const struct bench_column *column = &bench_columns[cell->column];

		if (bench_cell_slower(cells, cell) && ++shown)
			printf("  %s %zu bytes, %s%s%s%s: ratio %.2f, quartiles %.2f - %.2f, noise "
			       "%.2f\n",
			       function_name(cell->function), cell->size,
			       granularities[column->granularity],
			       column->unaligned ? ", unaligned" : "", column->flag ? ", " : "",
			       column->flag ? column->flag : "", cell->row.ratio.median,
			       cell->row.ratio.low, cell->row.ratio.high, noise_of(cells, cell));
	}
	if (slower > SLOWER_SHOWN)
		printf("  ...\n");
	printf("noise of this run: %.3f. Three sizes out of four had less, which is how far from 1 "
	       "the\n"
	       "farther quartile of libpmem2 against itself was, in the same rounds; one with more "
	       "has "
	       "its own.\n"
	       "slower: its lower quartile was above 1 + noise in each of three trials\n",
	       cells->noise);
}

static json_t *cell_json(const struct bench_cells *cells, const struct bench_cell *cell)
{
	const struct bench_column *column = &bench_columns[cell->column];
	json_t *json = json_pack(
		"{s:s, s:s, s:b, s:s*, s:I, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:f, s:f, s:f, "
		"s:b}",
		"function", function_name(cell->function), "granularity",
		granularities[column->granularity], "aligned", !column->unaligned, "flags",
		column->flag, "size", (json_int_t)cell->size, "rounds", (int)cell->row.rounds,
		"ours_ns", cell->row.median_ns[0], "peer_ns", cell->row.median_ns[1], "ratio",
		cell->row.ratio.median, "ratio_low", cell->row.ratio.low, "ratio_high",
		cell->row.ratio.high, "overall", cell->row.overall, "trials", (int)cell->trials,
		"noise", noise_of(cells, cell), "noise_low", cell->equal.low, "noise_high",
		cell->equal.high, "slower", bench_cell_slower(cells, cell));

	if (cell->raw > 0)
		json_object_set_new(json, "msync_ratio", json_real(cell->raw));
	return json;
}

json_t *bench_cells_json(const struct bench_cells *cells)
{
	json_t *array = json_array(), *means = json_object();

	for (size_t i = 0; i < cells->count; i++)
		json_array_append_new(array, cell_json(cells, &cells->cells[i]));
	for (int granularity = 0; cells->count && granularity < 3; granularity++)
		json_object_set_new(means, granularities[granularity],
				    json_real(mean(cells, (struct choice){-1, -1, granularity})));
	if (cells->count)
		json_object_set_new(means, "all", json_real(mean_of_all(cells)));
	return json_pack("{s:o, s:o, s:f, s:I, s:b}", "cells", array, "geometric_means", means,
			 "noise", cells->noise, "slower", (json_int_t)bench_cells_slower(cells),
			 "ok", !bench_cells_missed(cells));
}
