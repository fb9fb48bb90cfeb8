// SPDX-License-Identifier: BSD-3-Clause
/*
 * grid.c - aligned columns for people
 *
 * Owns the text of the cells and how wide they are. Calls text.c, output.c, memory.c
 * and base/escape.c.
 */
#include "ctl/grid.h"
#include "base/escape.h"
#include "ctl/memory.h"
#include "ctl/output.h"
#include "ctl/text.h"
#include <stdlib.h>
#include <string.h>

void grid_add_row(struct grid *grid)
{
	memory_reserve(grid->cells, &grid->room, (grid->rows + 1) * grid->width, 256 * grid->width);
	memset(&grid->cells[grid->rows++ * grid->width], 0, grid->width * sizeof(*grid->cells));
}

/* How much of the text a terminal shows as it is, one column for each byte. */
static size_t plain_length(const char *text)
{
	size_t length = 0;

	while (text[length] >= ' ' && text[length] <= '~')
		length++;
	return length;
}

void grid_set(struct grid *grid, size_t column, const char *text)
{
	struct grid_cell *cell = &grid->cells[(grid->rows - 1) * grid->width + column];
	char *display = NULL;

	if (!text)
		return;
	cell->begin = grid->text.length;
	cell->length = cell->width = plain_length(text);
	if (text[cell->length]) {
		text = display = text_display(text, &cell->width);
		cell->length = strlen(display);
	}
	text_buffer_put(&grid->text, text, cell->length);
	free(display);
}

void grid_set_bytes(struct grid *grid, size_t column, const char *bytes)
{
	char *text = NULL;

	if (bytes && escape_needed(bytes))
		bytes = text = memory_require(escape_encode(bytes));
	grid_set(grid, column, bytes);
	free(text);
}

static void put_spaces(struct text_buffer *out, size_t count)
{
	char *space = count ? text_buffer_space(out, count) : NULL;

	if (!space)
		return;
	memset(space, ' ', count);
	out->length += count;
}

static void put_row(struct text_buffer *out, const struct grid *grid, const char *text,
		    const struct grid_cell *row, const size_t widths[])
{
	for (size_t i = 0; i < grid->width; i++) {
		bool last = i + 1 == grid->width; /* nothing behind it */
		size_t width = row[i].length ? row[i].width : 1, padding = widths[i] - width;

		if (grid->columns[i].number && !last)
			put_spaces(out, padding);
		if (row[i].length)
			text_buffer_put(out, text + row[i].begin, row[i].length);
		else
			text_buffer_put_byte(out, '-');
		if (last)
			text_buffer_put_byte(out, '\n');
		else
			put_spaces(out, 2 + (grid->columns[i].number ? 0 : padding));
	}
}

/* The row of titles. */
static void put_titles(struct text_buffer *out, const struct grid *grid, const size_t widths[])
{
	struct grid titles = {.columns = grid->columns, .width = grid->width};

	grid_add_row(&titles);
	for (size_t i = 0; i < grid->width; i++)
		grid_set(&titles, i, grid->columns[i].title);
	put_row(out, &titles, titles.text.bytes, titles.cells, widths);
	grid_clear(&titles);
}

int grid_print(const struct grid *grid)
{
	size_t *widths = memory_require(calloc(grid->width, sizeof(*widths)));
	struct text_buffer out = {0};
	int error;

	for (size_t i = 0; i < grid->width; i++)
		widths[i] = strlen(grid->columns[i].title);
	for (size_t i = 0; i < grid->rows * grid->width; i++)
		if (widths[i % grid->width] < grid->cells[i].width)
			widths[i % grid->width] = grid->cells[i].width;

	put_titles(&out, grid, widths);
	for (size_t row = 0; row < grid->rows; row++)
		put_row(&out, grid, grid->text.bytes, &grid->cells[row * grid->width], widths);
	if (out.failed || grid->text.failed)
		memory_exhausted();
	error = output_bytes(out.bytes, out.length);
	free(out.bytes);
	free(widths);
	return error;
}

void grid_clear(struct grid *grid)
{
	free(grid->text.bytes);
	free(grid->cells);
}
