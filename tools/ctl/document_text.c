// SPDX-License-Identifier: BSD-3-Clause
/*
 * document_text.c - the document of a mapping as it is in the mount, from the daemon's line
 *
 * Copies the JSON value by value, without a tree of it, and checks on the way that it is JSON and
 * has one name. Calls report.c, memory.c, base/json_writer.c and base/escape.c.
 */
#include "ctl/document_text.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include "ctl/memory.h"
#include "ctl/report.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32

struct reader {
	const char *at; /* terminated */
	struct json_writer writer;
	/* What the outermost object has: */
	unsigned names;
	const char *name; /* the value in the line, with quotes */
	bool encoded, unreadable;
};

static void skip_space(struct reader *reader)
{
	while (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\r')
		reader->at++;
}

/* The length of an escape sequence, 0: it is none, or stands for NUL. */
static size_t escape_length(const char *at)
{
	if (at[1] && strchr("\"\\/bfnrt", at[1]))
		return 2;
	if (at[1] != 'u' || strspn(at + 2, "0123456789abcdefABCDEF") < 4 ||
	    !strncmp(at + 2, "0000", 4))
		return 0;
	return 6;
}

/* The length of what needs no check. */
static size_t plain_length(const char *at)
{
	size_t length = 0;

	while ((unsigned char)at[length] >= 0x20 && (unsigned char)at[length] < 0x7f &&
	       at[length] != '"' && at[length] != '\\')
		length++;
	return length;
}

/* Copies the character or escape sequence at which plain text ends. */
static bool copy_character(struct reader *reader)
{
	struct text_buffer *out = reader->writer.out;
	bool escape = *reader->at == '\\';
	size_t length = escape ? escape_length(reader->at) : escape_utf8_length(reader->at);

	if (!length || (unsigned char)*reader->at < 0x20)
		return false;
	if (escape || !escape_is_active(escape_utf8_character(reader->at)))
		text_buffer_put(out, reader->at, length);
	else
		json_put_unicode(out, escape_utf8_character(reader->at));
	reader->at += length;
	return true;
}

static bool copy_string(struct reader *reader)
{
	struct text_buffer *out = reader->writer.out;

	if (*reader->at++ != '"')
		return false;
	text_buffer_put_byte(out, '"');
	for (;;) {
		size_t length = plain_length(reader->at);

		text_buffer_put(out, reader->at, length);
		reader->at += length;
		if (*reader->at == '"')
			break;
		if (!copy_character(reader))
			return false;
	}
	text_buffer_put_byte(out, '"');
	reader->at++;
	return true;
}

static size_t digits_length(const char *at)
{
	return strspn(at, "0123456789");
}

/* 0: there is no number. */
static size_t number_length(const char *at)
{
	const char *end = at + (*at == '-');
	size_t digits = digits_length(end);

	if (!digits || (*end == '0' && digits > 1))
		return 0;
	end += digits;
	if (*end == '.') {
		digits = digits_length(++end);
		if (!digits)
			return 0;
		end += digits;
	}
	if (*end == 'e' || *end == 'E') {
		end++;
		end += *end == '+' || *end == '-';
		digits = digits_length(end);
		if (!digits)
			return 0;
		end += digits;
	}
	return (size_t)(end - at);
}

/* A number, or a word. */
static bool copy_other(struct reader *reader)
{
	static const char *const words[] = {"true", "false", "null"};
	size_t length = number_length(reader->at);

	for (size_t i = 0; !length && i < sizeof(words) / sizeof(words[0]); i++)
		if (!strncmp(reader->at, words[i], strlen(words[i])))
			length = strlen(words[i]);
	text_buffer_put(reader->writer.out, reader->at, length);
	reader->at += length;
	return length > 0;
}

static bool copy_value(struct reader *reader);

/* Notes a key of the outermost object, whose value begins at `value`. */
static void note_key(struct reader *reader, const char *key, const char *value)
{
	if (!strncmp(key, "\"name\"", 6)) {
		reader->names++;
		reader->name = value;
	} else if (!strncmp(key, "\"name_encoding\"", 15)) {
		reader->encoded = true;
	} else if (!strncmp(key, "\"errno\"", 7)) {
		reader->unreadable = true;
	}
}

static bool copy_key(struct reader *reader)
{
	const char *key = reader->at;

	if (!copy_string(reader))
		return false;
	skip_space(reader);
	if (*reader->at++ != ':')
		return false;
	skip_space(reader);
	json_write_colon(&reader->writer);
	if (reader->writer.depth == 1)
		note_key(reader, key, reader->at);
	return true;
}

/* An object or an array, with what is in it. */
static bool copy_values(struct reader *reader)
{
	bool object = *reader->at++ == '{';
	char close = object ? '}' : ']';

	json_write_open(&reader->writer, object ? '{' : '[');
	if (reader->writer.depth > DEPTH_MAX)
		return false;
	skip_space(reader);
	while (*reader->at != close) {
		if (reader->writer.begun) {
			if (*reader->at++ != ',')
				return false;
			skip_space(reader);
		}
		json_write_separator(&reader->writer);
		if ((object && !copy_key(reader)) || !copy_value(reader))
			return false;
		skip_space(reader);
	}
	reader->at++;
	json_write_end(&reader->writer, close);
	return true;
}

static bool copy_value(struct reader *reader)
{
	switch (*reader->at) {
	case '{':
	case '[':
		return copy_values(reader);
	case '"':
		return copy_string(reader);
	default:
		return copy_other(reader);
	}
}

/* Whether the name with escapes is one. */
static bool is_encoded(const char *name)
{
	json_t *json = json_loads(name, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, NULL);
	const char *text = json_string_value(json);
	char *bytes = text ? escape_decode(text) : NULL;
	bool valid = bytes;

	json_decref(json);
	free(bytes);
	return valid;
}

int document_text_put(const char *line, struct text_buffer *out, bool *unreadable)
{
	struct reader reader = {.at = line, .writer = {.out = out, .indented = true}};
	size_t before = out->length;
	bool valid;

	skip_space(&reader);
	valid = *reader.at == '{' && copy_values(&reader);
	skip_space(&reader);
	valid = valid && !*reader.at && reader.names == 1 && *reader.name == '"' &&
		(!reader.encoded || is_encoded(reader.name));
	if (out->failed)
		memory_exhausted();
	*unreadable = valid && reader.unreadable;
	if (!valid || *unreadable)
		out->length = before;
	if (valid)
		return 0;
	report(NULL, "the daemon sent what is no document of a mapping");
	return -EINVAL;
}
