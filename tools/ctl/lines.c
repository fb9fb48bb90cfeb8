// SPDX-License-Identifier: BSD-3-Clause
/*
 * lines.c - lines about mappings, from the daemon
 *
 * Calls connection.c, report.c and memory.c.
 */
#include "ctl/lines.h"
#include "ctl/connection.h"
#include "ctl/memory.h"
#include "ctl/report.h"
#include "protocol/control.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Ends the lines that have come from `from` on, and counts them. */
static void end_lines(struct lines *lines, size_t from)
{
	char *at = lines->bytes + from;
	const char *end = lines->bytes + lines->length;

	while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
		*at++ = '\0';
		lines->count++;
	}
}

/* A line must not hold a NUL of its own. */
static int check_bytes(const char *object, const char *bytes, size_t length)
{
	if (!memchr(bytes, '\0', length))
		return 0;
	report(object, "the daemon sent what is no text");
	return -1;
}

/* Receives `count` lines; returns 0, or -1 after a message. */
static int receive_lines(int connection, const char *object, size_t count, struct lines *lines)
{
	while (lines->count < count) {
		ssize_t length;

		memory_reserve(lines->bytes, &lines->room, lines->length + CONTROL_MAX_BYTES,
			       2 * CONTROL_MAX_BYTES);
		length = connection_receive_bytes(connection, object, lines->bytes + lines->length);
		if (length < 0 || check_bytes(object, lines->bytes + lines->length, (size_t)length))
			return -1;
		lines->length += (size_t)length;
		end_lines(lines, lines->length - (size_t)length);
	}
	if (lines->count > count || (count && lines->bytes[lines->length - 1] != '\0')) {
		report(object, "the daemon sent more documents than it said");
		return -1;
	}
	return 0;
}

/* A number that the answer may lack: 0 then. */
static size_t optional_number(const json_t *answer, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(answer, key));

	return number > 0 ? (size_t)number : 0;
}

int lines_read(int connection, const char *object, json_t *question, int columns,
	       struct lines_answer *answer, struct lines *lines)
{
	bool filtered = json_object_get(question, "where");
	const json_t *count;
	json_t *root;
	int result = -1;

	*answer = (struct lines_answer){0};
	*lines = (struct lines){0};
	if (connection_ask(connection, object, question, -1, &root) != ANSWER_SUCCESS)
		return -1;
	answer->gone = optional_number(root, "gone");
	answer->hidden = optional_number(root, "hidden");
	answer->undecided = optional_number(root, "undecided");
	count = json_object_get(root, "count");
	if (!json_is_integer(count) || json_integer_value(count) < 0)
		report(object, "the daemon does not say how many documents it sends");
	else if (json_integer_value(json_object_get(root, "columns")) != columns)
		report(object, "the daemon is of another version: it sends no such columns");
	else if (filtered && !json_is_integer(json_object_get(root, "undecided")))
		report(object, "the daemon is of another version: it does not pick mappings");
	else
		result =
			receive_lines(connection, object, (size_t)json_integer_value(count), lines);
	json_decref(root);
	if (result)
		lines_clear(lines);
	return result;
}

void lines_clear(struct lines *lines)
{
	free(lines->bytes);
	*lines = (struct lines){0};
}
