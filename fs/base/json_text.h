/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * json_text.h - JSON as text that a terminal shows as it is
 *
 * Owns no data; calls jansson and escape.h. pmem2ctl is built with it, too.
 */
#ifndef PMEM2FS_BASE_JSON_TEXT_H
#define PMEM2FS_BASE_JSON_TEXT_H

#include <jansson.h>

/*
 * As json_dumps, with \uXXXX for each character that a terminal would act on (escape_is_active): a
 * reader of JSON gets the same strings. To be freed; NULL when memory runs out.
 */
char *json_text(const json_t *value, size_t flags);

#endif
