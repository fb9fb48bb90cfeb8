/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * output.h - the results of pmem2ctl, on stdout
 *
 * Each function returns 0, or a negative errno after a message.
 */
#ifndef PMEM2FS_CTL_OUTPUT_H
#define PMEM2FS_CTL_OUTPUT_H

#include <jansson.h>
#include <stddef.h>

int output_bytes(const char *bytes, size_t length);
int output_text(const char *text);

/* The text and a newline. */
int output_line(const char *text);

/* The value in the form that `flags` of json_dumps choose, safe for a terminal, and a newline. */
int output_json(const json_t *value, size_t flags);

int output_flush(void);

#endif
