// SPDX-License-Identifier: BSD-3-Clause
/*
 * text.c - makes text safe to print on a terminal
 *
 * Names and paths may hold any byte; printed as they are, they could move the cursor, or look like
 * other names. Calls memory.c and base/escape.c.
 */

#include "ctl/text.h"
#include "base/escape.h"
#include "ctl/memory.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

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

		if (valid && iswprint((wint_t)character) &&
		    !escape_is_active((uint32_t)character)) {
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
