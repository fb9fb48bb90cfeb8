// SPDX-License-Identifier: BSD-3-Clause
/*
 * facts_of.c - facts of a document in the form in which they are compared
 *
 * Pure.
 */
#include "ctl/facts_of.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool number_of(const json_t *value, uint64_t *number)
{
	const char *text = json_string_value(value);
	char *end;

	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*number = (uint64_t)json_integer_value(value);
		return true;
	}
	if (!text || strncmp(text, "0x", 2) != 0)
		return false;
	errno = 0;
	unsigned long long parsed = strtoull(text, &end, 16);
	if (*end || errno || end == text + 2)
		return false;
	*number = parsed;
	return true;
}

bool source_is_node(const json_t *source)
{
	const char *type = json_string_value(json_object_get(source, "type"));

	return type && strcmp(type, "devdax") == 0;
}

uint64_t mapped_of(const json_t *document)
{
	const json_t *extents = json_object_get(document, "extents"), *extent;
	uint64_t length = 0, sum = 0;
	size_t i;

	if (!json_is_array(extents)) {
		number_of(json_object_get(document, "length"), &length);
		return length;
	}
	json_array_foreach (extents, i, extent)
		if (number_of(json_object_get(extent, "length"), &length))
			sum += length;
	return sum;
}
