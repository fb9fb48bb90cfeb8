// SPDX-License-Identifier: BSD-3-Clause
/*
 * json.c - building JSON, where a failure can only be a lack of memory
 *
 * Calls memory.c and base/escape.c.
 */
#include "ctl/json.h"
#include "base/escape.h"
#include "ctl/memory.h"
#include <stdio.h>
#include <stdlib.h>

void json_put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, memory_require(value)))
		memory_exhausted();
}

void json_put_bytes(json_t *object, const char *key, const char *bytes)
{
	char *text, *note;

	if (!bytes)
		return;
	text = memory_require(escape_encode(bytes));
	json_put(object, key, json_string(text));
	free(text);
	if (!escape_needed(bytes))
		return;
	note = memory_format("%s_encoding", key);
	json_put(object, note, json_string("escaped"));
	free(note);
}

void json_append(json_t *array, json_t *value)
{
	if (json_array_append_new(array, memory_require(value)))
		memory_exhausted();
}
