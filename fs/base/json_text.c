/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * json_text.c - see json_text.h
 */
#include "base/json_text.h"
#include "base/escape.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ESCAPE_LENGTH 6 /* of \uXXXX; no active character needs more */

/* jansson escapes the control characters of ASCII but DEL; those of the layout stay. */
static bool is_active(const char *bytes)
{
	uint32_t character = escape_utf8_character(bytes);

	return character >= 0x7f && escape_is_active(character);
}

static size_t count_active(const char *json)
{
	static const char first_bytes[] = "\x7f\xc2\xd8\xe2"; /* of the active characters */
	size_t count = 0;

	for (; (json = strpbrk(json, first_bytes)); json++)
		count += is_active(json);
	return count;
}

char *json_text(const json_t *value, size_t flags)
{
	char *json = json_dumps(value, flags), *text, *end;
	size_t active = json ? count_active(json) : 0;

	if (!active)
		return json;
	end = text = malloc(strlen(json) + ESCAPE_LENGTH * active + 1);
	for (const char *at = json; text && *at;) {
		size_t length = escape_utf8_length(at);

		if (is_active(at))
			end += sprintf(end, "\\u%04X", (unsigned)escape_utf8_character(at));
		else
			end = (char *)memcpy(end, at, length) + length;
		at += length;
	}
	if (text)
		*end = '\0';
	free(json);
	return text;
}
