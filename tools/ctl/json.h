/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * json.h - building JSON, where a failure can only be a lack of memory
 */
#ifndef PMEM2FS_CTL_JSON_H
#define PMEM2FS_CTL_JSON_H

#include <jansson.h>

/* Sets a key to a value, of which it takes ownership. */
void json_put(json_t *object, const char *key, json_t *value);

/* Sets a key to bytes, by the rule of the metadata document; NULL leaves it out. */
void json_put_bytes(json_t *object, const char *key, const char *bytes);

/* Appends a value, of which it takes ownership. */
void json_append(json_t *array, json_t *value);

#endif
