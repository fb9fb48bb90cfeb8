/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * json_writer.c - see json_writer.h
 */
#include "base/json_writer.h"
#include "base/clock.h"
#include "base/escape.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define INDENT      2
#define REPLACEMENT 0xfffdu

static void begin_line(struct json_writer *writer)
{
	size_t length = (size_t)writer->depth * INDENT + 1;
	char *space = text_buffer_space(writer->out, length);

	if (!space)
		return;
	space[0] = '\n';
	memset(space + 1, ' ', length - 1);
	writer->out->length += length;
}

void json_write_separator(struct json_writer *writer)
{
	if (writer->begun)
		text_buffer_put_byte(writer->out, ',');
	if (writer->indented && writer->depth)
		begin_line(writer);
	writer->begun = true;
}

void json_write_colon(struct json_writer *writer)
{
	text_buffer_put(writer->out, ": ", writer->indented ? 2 : 1);
}

void json_write_open(struct json_writer *writer, char open)
{
	text_buffer_put_byte(writer->out, open);
	writer->depth++;
	writer->begun = false;
}

/* Puts a text that JSON has as it is. */
static void put_plain(struct text_buffer *out, const char *bytes, size_t length)
{
	char *space = text_buffer_space(out, length + 2);

	if (!space)
		return;
	space[0] = '"';
	memcpy(space + 1, bytes, length);
	space[length + 1] = '"';
	out->length += length + 2;
}

/* What comes in front of a value. */
static void begin_value(struct json_writer *writer, const char *key)
{
	json_write_separator(writer);
	if (!key)
		return;
	put_plain(writer->out, key, strlen(key));
	json_write_colon(writer);
}

void json_write_begin(struct json_writer *writer, const char *key, char open)
{
	begin_value(writer, key);
	json_write_open(writer, open);
}

void json_write_end(struct json_writer *writer, char close)
{
	writer->depth--;
	if (writer->indented && writer->begun)
		begin_line(writer);
	writer->begun = true;
	text_buffer_put_byte(writer->out, close);
}

void json_write_number(struct json_writer *writer, const char *key, uint64_t number)
{
	begin_value(writer, key);
	text_buffer_put_number(writer->out, number);
}

void json_write_integer(struct json_writer *writer, const char *key, int64_t number)
{
	begin_value(writer, key);
	if (number < 0)
		text_buffer_put_byte(writer->out, '-');
	text_buffer_put_number(writer->out, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

void json_write_boolean(struct json_writer *writer, const char *key, bool value)
{
	begin_value(writer, key);
	text_buffer_put_text(writer->out, value ? "true" : "false");
}

void json_write_null(struct json_writer *writer, const char *key)
{
	begin_value(writer, key);
	text_buffer_put_text(writer->out, "null");
}

/* Whether JSON has the byte as it is. */
static bool is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

static size_t plain_length(const char *bytes)
{
	size_t length = 0;

	while (is_plain((unsigned char)bytes[length]))
		length++;
	return length;
}

void json_put_unicode(struct text_buffer *out, unsigned character)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "\\u%04X", character);

	text_buffer_put(out, text, (size_t)length);
}

/* Puts the character at `at`, which is not plain; returns its length in bytes. */
static size_t put_character(struct text_buffer *out, const char *at)
{
	static const char escaped[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *found = strchr(escaped, *at);
	size_t length = escape_utf8_length(at);
	uint32_t character;

	if (found) {
		text_buffer_put_byte(out, '\\');
		text_buffer_put_byte(out, letters[found - escaped]);
		return 1;
	}
	if (!length) { /* not UTF-8 */
		json_put_unicode(out, REPLACEMENT);
		return 1;
	}
	character = escape_utf8_character(at);
	if (escape_is_active(character))
		json_put_unicode(out, character);
	else
		text_buffer_put(out, at, length);
	return length;
}

void json_write_quoted(struct text_buffer *out, const char *bytes)
{
	text_buffer_put_byte(out, '"');
	for (;;) {
		size_t length = plain_length(bytes);

		text_buffer_put(out, bytes, length);
		bytes += length;
		if (!*bytes)
			break;
		bytes += put_character(out, bytes);
	}
	text_buffer_put_byte(out, '"');
}

void json_write_bytes(struct json_writer *writer, const char *key, const char *bytes)
{
	char encoding_key[32];
	size_t length;
	char *text;

	if (!bytes) {
		json_write_null(writer, key);
		return;
	}
	begin_value(writer, key);
	length = plain_length(bytes);
	if (!bytes[length]) { /* nearly all */
		put_plain(writer->out, bytes, length);
		return;
	}
	if (!escape_needed(bytes)) {
		json_write_quoted(writer->out, bytes);
		return;
	}
	text = escape_encode(bytes);
	if (!text) {
		writer->out->failed = true;
		return;
	}
	json_write_quoted(writer->out, text);
	free(text);
	snprintf(encoding_key, sizeof(encoding_key), "%s_encoding", key);
	json_write_bytes(writer, encoding_key, "escaped");
}

/* Writes `count` digits. Returns their end. */
static char *put_digits(char *text, unsigned count, unsigned number)
{
	for (unsigned i = count; i-- > 0; number /= 10)
		text[i] = (char)('0' + number % 10);
	return text + count;
}

void json_time_text(char text[JSON_TIME_SIZE], uint64_t nanoseconds)
{
	static const char separators[] = "--T::.";
	time_t seconds = (time_t)(nanoseconds / CLOCK_SECOND);
	struct tm tm = {0};
	unsigned fields[6];
	char *end = text;

	gmtime_r(&seconds, &tm); /* its years, up to that of UINT64_MAX, have four digits */
	fields[0] = (unsigned)tm.tm_year + 1900;
	fields[1] = (unsigned)tm.tm_mon + 1;
	fields[2] = (unsigned)tm.tm_mday;
	fields[3] = (unsigned)tm.tm_hour;
	fields[4] = (unsigned)tm.tm_min;
	fields[5] = (unsigned)tm.tm_sec;
	for (size_t i = 0; i < 6; i++) {
		end = put_digits(end, i ? 2 : 4, fields[i]);
		*end++ = separators[i];
	}
	end = put_digits(end, 9, (unsigned)(nanoseconds % CLOCK_SECOND));
	strcpy(end, "Z");
}
