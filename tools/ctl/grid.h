/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * grid.h - aligned columns for people
 */
#ifndef PMEM2FS_CTL_GRID_H
#define PMEM2FS_CTL_GRID_H

#include "base/text_buffer.h"
#include <stdbool.h>
#include <stddef.h>

struct grid_column {
	const char *title;
	bool number; /* aligned to the right */
};

struct grid_cell {
	size_t begin, length; /* in the text of the grid */
	size_t width;         /* on a terminal */
};

struct grid {
	const struct grid_column *columns; /* borrowed */
	size_t width;                      /* how many columns */
	struct grid_cell *cells;           /* row after row; empty: "-", what does not apply */
	size_t rows;
	size_t room; /* cells that the array has room for */
	struct text_buffer text;
};

/* Adds a row of which nothing is known yet, for grid_set. */
void grid_add_row(struct grid *grid);

/* Sets a cell of the last row to what a terminal may see of `text`; NULL leaves it as it is. */
void grid_set(struct grid *grid, size_t column, const char *text);

/* The same with bytes that may be no UTF-8: these, and backslashes, are escaped as in documents. */
void grid_set_bytes(struct grid *grid, size_t column, const char *bytes);

/* Prints the titles and all rows. Returns 0, or a negative errno after a message. */
int grid_print(const struct grid *grid);

void grid_clear(struct grid *grid);

#endif
