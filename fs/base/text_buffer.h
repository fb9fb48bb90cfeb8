/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text_buffer.h - a text that grows at its end
 *
 * Calls libc only; pmem2ctl is built with it, too. When memory runs out the buffer is marked as
 * failed and takes nothing more, so that it is asked once, where the whole text is used.
 */
#ifndef PMEM2FS_BASE_TEXT_BUFFER_H
#define PMEM2FS_BASE_TEXT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* All zero at first; the owner frees `bytes`. Not terminated. */
struct text_buffer {
	char *bytes;
	size_t length, room;
	bool failed;
};

/* For text_buffer_space alone, where the room does not suffice. */
char *text_buffer_grow(struct text_buffer *buffer, size_t length);

/* Space for `length` (not 0) more bytes, which the caller adds to the length. NULL: failed. */
static inline char *text_buffer_space(struct text_buffer *buffer, size_t length)
{
	if (!buffer->failed && length <= buffer->room - buffer->length)
		return buffer->bytes + buffer->length;
	return text_buffer_grow(buffer, length);
}

static inline void text_buffer_put(struct text_buffer *buffer, const char *bytes, size_t length)
{
	char *end = length ? text_buffer_space(buffer, length) : NULL;

	if (!end)
		return;
	memcpy(end, bytes, length);
	buffer->length += length;
}

static inline void text_buffer_put_text(struct text_buffer *buffer, const char *text)
{
	text_buffer_put(buffer, text, strlen(text));
}

static inline void text_buffer_put_byte(struct text_buffer *buffer, char byte)
{
	text_buffer_put(buffer, &byte, 1);
}

/* In decimal digits. */
void text_buffer_put_number(struct text_buffer *buffer, uint64_t number);

#endif
