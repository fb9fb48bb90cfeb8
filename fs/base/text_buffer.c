/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text_buffer.c - see text_buffer.h
 */
#include "base/text_buffer.h"
#include "base/array.h"

#define FIRST_ROOM    1024
#define NUMBER_LENGTH 20 /* digits of UINT64_MAX */

char *text_buffer_grow(struct text_buffer *buffer, size_t length)
{
	if (!buffer->failed && length > SIZE_MAX - buffer->length)
		buffer->failed = true;
	if (!buffer->failed &&
	    array_reserve(buffer->bytes, &buffer->room, buffer->length + length, FIRST_ROOM))
		buffer->failed = true;
	return buffer->failed ? NULL : buffer->bytes + buffer->length;
}

void text_buffer_put_number(struct text_buffer *buffer, uint64_t number)
{
	char digits[NUMBER_LENGTH];
	size_t first = NUMBER_LENGTH;

	do {
		digits[--first] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	text_buffer_put(buffer, digits + first, NUMBER_LENGTH - first);
}
