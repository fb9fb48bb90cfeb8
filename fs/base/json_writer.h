/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * json_writer.h - JSON that is written as text at once, without a tree
 *
 * Writes what json_text gives for the same values, with JSON_COMPACT or JSON_INDENT(2): the text is
 * safe for a terminal. Where memory runs out, the text buffer has failed. Calls text_buffer.h,
 * escape.h and clock.h.
 */
#ifndef PMEM2FS_BASE_JSON_WRITER_H
#define PMEM2FS_BASE_JSON_WRITER_H

#include "base/text_buffer.h"
#include <stdbool.h>
#include <stdint.h>

struct json_writer {
	struct text_buffer *out;
	bool indented;  /* else in one line */
	bool begun;     /* the innermost object or array has a value */
	unsigned depth; /* how many objects and arrays are open */
};

/*
 * In all of these `key` is NULL for a value that has none, and is copied as it is. What has been
 * begun is ended by the same character, '}' or ']'.
 */
void json_write_begin(struct json_writer *writer, const char *key, char open);
void json_write_end(struct json_writer *writer, char close);

/*
 * The parts of these, for a caller that puts keys and values into the text itself: what separates
 * a value, or the key in front of it, from the one before; what separates a key from its value; and
 * the character that begins an object or array.
 */
void json_write_separator(struct json_writer *writer);
void json_write_colon(struct json_writer *writer);
void json_write_open(struct json_writer *writer, char open);

void json_write_number(struct json_writer *writer, const char *key, uint64_t number);
void json_write_integer(struct json_writer *writer, const char *key, int64_t number);
void json_write_boolean(struct json_writer *writer, const char *key, bool value);
void json_write_null(struct json_writer *writer, const char *key);

/*
 * Bytes, by the rule of escape.h: where they need escapes they get them, and a key `key`_encoding
 * follows. NULL gives null.
 */
void json_write_bytes(struct json_writer *writer, const char *key, const char *bytes);

/* A string in quotes, as it stands in JSON; a byte that is not UTF-8 becomes U+FFFD. */
void json_write_quoted(struct text_buffer *out, const char *bytes);

/* \uXXXX, for a character below 0x10000. */
void json_put_unicode(struct text_buffer *out, unsigned character);

/* Nanoseconds of CLOCK_REALTIME, as RFC 3339 in UTC, with the terminating NUL. */
#define JSON_TIME_SIZE 31
void json_time_text(char text[JSON_TIME_SIZE], uint64_t nanoseconds);

#endif
