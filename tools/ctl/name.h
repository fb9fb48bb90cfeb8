/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * name.h - names of mappings, as arguments and in requests to the daemon
 */
#ifndef PMEM2FS_CTL_NAME_H
#define PMEM2FS_CTL_NAME_H

#include <jansson.h>
#include <stdbool.h>

/* Why `name` cannot name a mapping; NULL: it can. */
const char *name_problem(const char *name);

/* Whether it can; reports why not. */
bool name_check(const char *name);

/*
 * Sets `key` of a request to a name; a name that is not UTF-8 goes with \xNN escapes and a note
 * that says so.
 */
void name_put(json_t *request, const char *key, const char *name);

#endif
