// SPDX-License-Identifier: BSD-3-Clause
/*
 * rows.c - columns of mappings, from the daemon
 *
 * Splits the lines in place. Calls lines.c, json.c, report.c and memory.c.
 */
#include "ctl/rows.h"
#include "ctl/json.h"
#include "ctl/memory.h"
#include "ctl/report.h"
#include "protocol/columns.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char row_null[] = "?";

static int digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Replaces each \xNN by its byte. Returns false if there is another backslash. */
static bool decode(char *text)
{
	const char *from = strchr(text, '\\');
	char *to = (char *)from;

	while (from && *from) {
		int high, low;

		if (*from != '\\') {
			*to++ = *from++;
			continue;
		}
		if (from[1] != 'x' || (high = digit_value(from[2])) < 0 ||
		    (low = digit_value(from[3])) < 0 || !(high | low))
			return false;
		*to++ = (char)(high << 4 | low);
		from += 4;
	}
	if (to)
		*to = '\0';
	return true;
}

static bool read_field(char *text, const char **field)
{
	if (text[0] != '\\' || text[1] == 'x') {
		*field = text;
		return decode(text);
	}
	*field = text[1] == 'N' ? row_null : NULL;
	return (text[1] == 'N' || text[1] == '-') && !text[2];
}

/* Splits a line. Returns false if it is not one of `width` fields. */
static bool read_row(char *line, size_t width, const char **fields)
{
	for (size_t i = 0; i < width; i++) {
		char *end = strchr(line, '\t');

		if (!end != (i + 1 == width))
			return false;
		if (end)
			*end = '\0';
		if (!read_field(line, &fields[i]))
			return false;
		line = end ? end + 1 : line;
	}
	return true;
}

static int read_rows(struct rows *rows)
{
	char *line = rows->lines.bytes;
	int result = 0;

	for (size_t i = 0; i < rows->lines.count; i++) {
		char *next = line + strlen(line) + 1;

		if (read_row(line, rows->width, &rows->fields[rows->count * rows->width])) {
			rows->count++;
		} else {
			report(NULL, "the daemon sent what is no document of a mapping");
			result = -1;
		}
		line = next;
	}
	return result;
}

int rows_read(int connection, const char *const columns[], size_t width, json_t *where,
	      struct rows *rows)
{
	json_t *question = memory_require(json_pack("{s:i}", "list", 1));
	json_t *names = memory_require(json_array());

	*rows = (struct rows){.width = width};
	for (size_t i = 0; i < width; i++)
		json_append(names, json_string(columns[i]));
	json_put(question, "columns", names);
	if (where)
		json_put(question, "where", where);
	if (lines_read(connection, NULL, question, COLUMNS_VERSION, &rows->answer, &rows->lines))
		return -1;
	rows->fields = memory_require(calloc(rows->lines.count * width + 1, sizeof(*rows->fields)));
	return read_rows(rows);
}

void rows_clear(struct rows *rows)
{
	lines_clear(&rows->lines);
	free(rows->fields);
	*rows = (struct rows){0};
}

bool row_number(const char *field, uint64_t *number)
{
	char *end;

	if (!field || *field < '0' || *field > '9')
		return false;
	errno = 0;
	*number = strtoull(field, &end, 10);
	return !*end && !errno;
}

bool row_is_true(const char *field)
{
	return field && !strcmp(field, "true");
}
