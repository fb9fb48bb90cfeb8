// SPDX-License-Identifier: BSD-3-Clause
/*
 * json.c - building JSON, where a failure can only be a lack of memory
 *
 * Calls report.c and fs/escape.c.
 */
#include "ctl/json.h"

#include "base/escape.h"
#include "ctl/pmem2ctl.h"
#include <stdio.h>
#include <stdlib.h>

void json_put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, needed(value)))
		needed(NULL);
}

void json_put_bytes(json_t *object, const char *key, const char *bytes)
{
	char *text, *note;

	if (!bytes)
		return;
	text = needed(escape_encode(bytes));
	json_put(object, key, json_string(text));
	free(text);
	if (!escape_needed(bytes))
		return;
	if (asprintf(&note, "%s_encoding", key) < 0)
		needed(NULL);
	json_put(object, note, json_string("escaped"));
	free(note);
}
