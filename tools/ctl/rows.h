/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rows.h - columns of mappings, from the daemon
 */
#ifndef PMEM2FS_CTL_ROWS_H
#define PMEM2FS_CTL_ROWS_H

#include "ctl/lines.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In place of the text of a fact that is null in the document. */
extern const char row_null[];

/* The mappings that a question is about, sorted by the bytes of their names. */
struct rows {
	struct lines lines;
	const char **fields; /* row after row: a text, row_null, or NULL: the key is absent */
	size_t width, count;
	struct lines_answer answer;
};

/*
 * Asks for `width` columns (columns.h has their names) of the mappings that `where` selects (see
 * control.h; NULL: of all). Takes ownership of `where`. Returns 0, or -1 after a message when some
 * rows could not be read: `rows` has all others.
 */
int rows_read(int connection, const char *const columns[], size_t width, json_t *where,
	      struct rows *rows);

/* The fields of a row, in the order of the columns. */
static inline const char *const *rows_at(const struct rows *rows, size_t row)
{
	return &rows->fields[row * rows->width];
}

void rows_clear(struct rows *rows);

/* The text of a field; NULL if the field is null or absent. */
static inline const char *row_text(const char *field)
{
	return field == row_null ? NULL : field;
}

/* Whether the field is that number, in decimal. */
bool row_number(const char *field, uint64_t *number);

/* Whether the field is "true". */
bool row_is_true(const char *field);

#endif
