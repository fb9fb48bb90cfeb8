/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * columns.h - facts of a mapping as fields of a line, for readers of many mappings
 *
 * A line has one field for each column that was asked for, in that order, with a tab between two
 * and a newline at the end. A field is
 *
 *   \N      the fact is null in the document
 *   \-      the document does not have the key, or may not be read
 *   other   the fact as text: each backslash and each byte below 0x20 is \xNN, all other bytes
 *           stand for themselves and need not be UTF-8. Numbers are decimal, truth is "true" or
 *           "false", times are as in the document.
 *
 * A column has the name of a key of the document, behind the name of the object that the key is in,
 * as in "owner.pid" (see the table in columns.c). These columns are no keys, or differ from them:
 *
 *   errno      why the peer may not read the document, and all other columns but the name are \-;
 *              \- where it may
 *   mapped     how many bytes are still mapped
 *   extents    OFFSET+LENGTH,OFFSET+LENGTH...
 *   document   the document, as JSON in one line
 *
 * Pure functions; owns nothing.
 */
#ifndef PMEM2FS_PROTOCOL_COLUMNS_H
#define PMEM2FS_PROTOCOL_COLUMNS_H

#include "base/text_buffer.h"
#include "protocol/document.h"
#include <stdbool.h>
#include <stddef.h>

/* The version of this form. */
#define COLUMNS_VERSION 1
/* How many columns a question may name. */
#define COLUMNS_MAX 32

struct column;

/* The column of that name, or NULL. */
const struct column *column_find(const char *name);

/* Whether it shows what is read about a mapping when somebody asks; else it does not change. */
bool column_needs_facts(const struct column *column);

/*
 * Adds the line of a mapping. `error` is a positive errno where the document may not be read, else
 * 0.
 */
void columns_put_line(const struct column *const *columns, size_t count,
		      const struct document *document, int error, struct text_buffer *out);

#endif
