// SPDX-License-Identifier: BSD-3-Clause
/*
 * document.c - the facts of a mapping's document that several parts compare
 *
 * Calls nothing of pmem2ctl.
 */
#include "ctl/document.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool document_number(const json_t *value, uint64_t *number)
{
	const char *text = json_string_value(value);
	char *end;
	unsigned long long parsed;

	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*number = (uint64_t)json_integer_value(value);
		return true;
	}
	if (!text || strncmp(text, "0x", 2))
		return false;
	errno = 0;
	parsed = strtoull(text, &end, 16);
	if (*end || errno || end == text + 2)
		return false;
	*number = parsed;
	return true;
}

bool document_source_is_dax(const json_t *source)
{
	const char *type = json_string_value(json_object_get(source, "type"));

	return type && !strcmp(type, "devdax");
}

uint64_t document_mapped_bytes(const json_t *document)
{
	const json_t *extents = json_object_get(document, "extents"), *extent;
	uint64_t length = 0, sum = 0;
	size_t i;

	if (!json_is_array(extents)) {
		document_number(json_object_get(document, "length"), &length);
		return length;
	}
	json_array_foreach (extents, i, extent)
		if (document_number(json_object_get(extent, "length"), &length))
			sum += length;
	return sum;
}
