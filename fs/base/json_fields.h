/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * json_fields.h - fields that have the same form in documents, answers and events
 *
 * Owns no data; calls jansson, escape.h and json_writer.h. The functions return 0, or -1 when
 * memory runs out or `object` is NULL, as jansson's own setters do.
 */
#ifndef PMEM2FS_BASE_JSON_FIELDS_H
#define PMEM2FS_BASE_JSON_FIELDS_H

#include <jansson.h>
#include <stdint.h>

/*
 * Bytes from outside, which may be no valid UTF-8; null when `bytes` is NULL. Where they need
 * escapes (escape.h) they get them, and a key `key`_encoding follows.
 */
int json_field_bytes(json_t *object, const char *key, const char *bytes);

/* Nanoseconds of CLOCK_REALTIME, as RFC 3339 in UTC. */
int json_field_time(json_t *object, const char *key, uint64_t nanoseconds);

#endif
