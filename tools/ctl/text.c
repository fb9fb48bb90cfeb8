// SPDX-License-Identifier: BSD-3-Clause
/*
 * text.c - makes text safe to print on a terminal
 *
 * Names and paths may hold any byte; printed as they are, they could move the cursor, or look like
 * other names. Calls memory.c.
 */

#include "ctl/text.h"
#include "ctl/memory.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

/* Characters that change the order in which their neighbours are shown. */
static bool reorders(wchar_t character)
{
	return character == 0x061c || character == 0x200e || character == 0x200f ||
	       (character >= 0x202a && character <= 0x202e) ||
	       (character >= 0x2066 && character <= 0x2069);
}

char *text_display(const char *text, size_t *width)
{
	size_t length = strlen(text), columns = 0;
	char *display = memory_require(malloc(4 * length + 1)), *to = display;
	const char *end = text + length;
	mbstate_t state = {0};

	while (text < end) {
		wchar_t character;
		size_t bytes = mbrtowc(&character, text, (size_t)(end - text), &state);
		bool valid = bytes != (size_t)-1 && bytes != (size_t)-2;

		if (valid && iswprint((wint_t)character) && !reorders(character)) {
			memcpy(to, text, bytes);
			to += bytes;
			text += bytes;
			columns += (size_t)wcwidth(character);
			continue;
		}
		if (!valid) {
			bytes = 1;
			memset(&state, 0, sizeof(state));
		}
		for (; bytes > 0; bytes--, text++, columns += 4)
			to += sprintf(to, "\\x%02x", (unsigned char)*text);
	}
	*to = '\0';
	if (width)
		*width = columns;
	return display;
}
