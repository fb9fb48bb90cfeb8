/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * escape.c - see escape.h
 */
#include "base/escape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

size_t escape_utf8_length(const char *bytes)
{
	const unsigned char *b = (const unsigned char *)bytes;
	/* The second byte has a narrower range after some first bytes: no overlong forms, no
	 * surrogates, nothing above U+10FFFF. */
	unsigned char low = 0x80, high = 0xbf;
	size_t length;

	if (b[0] < 0x80)
		return 1;
	if (b[0] < 0xc2 || b[0] > 0xf4)
		return 0;
	length = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
	if (b[0] == 0xe0)
		low = 0xa0;
	else if (b[0] == 0xed)
		high = 0x9f;
	else if (b[0] == 0xf0)
		low = 0x90;
	else if (b[0] == 0xf4)
		high = 0x8f;
	if (b[1] < low || b[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

uint32_t escape_utf8_character(const char *bytes)
{
	size_t length = escape_utf8_length(bytes);
	uint32_t character = (unsigned char)bytes[0];

	if (length > 1)
		character &= 0x7fu >> length;
	for (size_t i = 1; i < length; i++)
		character = character << 6 | ((unsigned char)bytes[i] & 0x3f);
	return character;
}

bool escape_is_active(uint32_t character)
{
	return character < 0x20 || (character >= 0x7f && character <= 0x9f) ||
	       character == 0x061c || character == 0x200e || character == 0x200f ||
	       (character >= 0x202a && character <= 0x202e) ||
	       (character >= 0x2066 && character <= 0x2069);
}

bool escape_needed(const char *bytes)
{
	size_t step;

	for (; *bytes != '\0'; bytes += step) {
		step = escape_utf8_length(bytes);
		if (step == 0 || *bytes == '\\')
			return true;
	}
	return false;
}

/* Writes \xNN; returns its end. */
static char *put_byte(char *end, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";

	*end++ = '\\';
	*end++ = 'x';
	*end++ = digits[byte >> 4];
	*end++ = digits[byte & 0xf];
	return end;
}

char *escape_encode(const char *bytes)
{
	char *text = malloc(4 * strlen(bytes) + 1);
	char *end = text;

	if (text == NULL)
		return NULL;
	while (*bytes != '\0') {
		size_t step = escape_utf8_length(bytes);

		if (step == 0 || *bytes == '\\') {
			end = put_byte(end, (unsigned char)*bytes++);
			continue;
		}
		memcpy(end, bytes, step);
		end += step;
		bytes += step;
	}
	*end = '\0';
	return text;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The byte that "\xNN" at `text` stands for, or -1. */
static int escape_value(const char *text)
{
	int high, low;

	if (text[0] != '\\' || text[1] != 'x')
		return -1;
	high = digit_value(text[2]);
	if (high < 0)
		return -1;
	low = digit_value(text[3]);
	return low < 0 ? -1 : high << 4 | low;
}

char *escape_decode(const char *text)
{
	char *bytes = malloc(strlen(text) + 1);
	char *end = bytes;

	if (bytes == NULL)
		return NULL;
	while (*text != '\0') {
		int value;

		if (*text != '\\') {
			*end++ = *text++;
			continue;
		}
		value = escape_value(text);
		if (value <= 0) {
			free(bytes);
			errno = EINVAL;
			return NULL;
		}
		*end++ = (char)value;
		text += 4;
	}
	*end = '\0';
	return bytes;
}

void escape_for_terminal(char *shown, size_t size, const char *text)
{
	char *end = shown;

	while (*text != '\0') {
		size_t length = escape_utf8_length(text);
		bool plain = length > 0 && !escape_is_active(escape_utf8_character(text));
		size_t bytes = length > 0 ? length : 1;

		if ((size_t)(end - shown) + (plain ? bytes : 4 * bytes) >= size)
			break;
		if (plain)
			end = (char *)memcpy(end, text, bytes) + bytes;
		else
			for (size_t i = 0; i < bytes; i++)
				end = put_byte(end, (unsigned char)text[i]);
		text += bytes;
	}
	*end = '\0';
}
