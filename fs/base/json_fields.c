/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * json_fields.c - see json_fields.h
 */
#include "base/json_fields.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include <stdio.h>
#include <stdlib.h>

int json_field_bytes(json_t *object, const char *key, const char *bytes)
{
	char encoding_key[32];
	char *text;
	int error;

	if (!bytes)
		return json_object_set_new_nocheck(object, key, json_null());
	if (!escape_needed(bytes))
		return json_object_set_new_nocheck(object, key, json_string_nocheck(bytes));
	text = escape_encode(bytes);
	if (!text)
		return -1;
	snprintf(encoding_key, sizeof(encoding_key), "%s_encoding", key);
	error = json_object_set_new_nocheck(object, key, json_string_nocheck(text));
	free(text);
	return error | json_object_set_new_nocheck(object, encoding_key, json_string("escaped"));
}

int json_field_time(json_t *object, const char *key, uint64_t nanoseconds)
{
	char text[JSON_TIME_SIZE];

	json_time_text(text, nanoseconds);
	return json_object_set_new_nocheck(object, key, json_string_nocheck(text));
}
