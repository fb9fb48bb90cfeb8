// SPDX-License-Identifier: BSD-3-Clause
/*
 * grid.c - aligned columns for people
 *
 * Owns the cells and how wide they are. Calls text.c, output.c and memory.c.
 */
#include "ctl/grid.h"
#include "ctl/memory.h"
#include "ctl/output.h"
#include "ctl/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void grid_add_row(struct grid *grid)
{
	memory_reserve(grid->cells, &grid->room, (grid->rows + 1) * grid->width, 256 * grid->width);
	memset(&grid->cells[grid->rows++ * grid->width], 0, grid->width * sizeof(*grid->cells));
}

void grid_set(struct grid *grid, size_t column, const char *text)
{
	struct grid_cell *cell = &grid->cells[(grid->rows - 1) * grid->width + column];

	if (text)
		cell->text = text_display(text, &cell->width);
}

static void print_row(FILE *stream, const struct grid *grid, const struct grid_cell *row,
		      const size_t widths[])
{
	for (size_t i = 0; i < grid->width; i++) {
		const char *text = row[i].text ? row[i].text : "-";
		int padding = (int)(widths[i] - (row[i].text ? row[i].width : 1));

		if (i + 1 == grid->width) /* the last: nothing behind it */
			fprintf(stream, "%s\n", text);
		else if (grid->columns[i].number)
			fprintf(stream, "%*s%s  ", padding, "", text);
		else
			fprintf(stream, "%s%*s  ", text, padding, "");
	}
}

int grid_print(const struct grid *grid)
{
	size_t *widths = memory_require(calloc(grid->width, sizeof(*widths)));
	struct grid_cell *titles = memory_require(calloc(grid->width, sizeof(*titles)));
	char *text = NULL;
	size_t length;
	FILE *stream;
	int error;

	for (size_t i = 0; i < grid->width; i++) {
		titles[i].text = (char *)grid->columns[i].title;
		widths[i] = titles[i].width = strlen(titles[i].text);
	}
	for (size_t i = 0; i < grid->rows * grid->width; i++)
		if (widths[i % grid->width] < grid->cells[i].width)
			widths[i % grid->width] = grid->cells[i].width;

	stream = memory_require(open_memstream(&text, &length));
	print_row(stream, grid, titles, widths);
	for (size_t row = 0; row < grid->rows; row++)
		print_row(stream, grid, &grid->cells[row * grid->width], widths);
	if (fclose(stream))
		memory_exhausted();
	error = output_bytes(text, length);
	free(text);
	free(titles);
	free(widths);
	return error;
}

void grid_clear(struct grid *grid)
{
	for (size_t i = 0; i < grid->rows * grid->width; i++)
		free(grid->cells[i].text);
	free(grid->cells);
}
