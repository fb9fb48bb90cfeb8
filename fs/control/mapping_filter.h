/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping_filter.h - which mappings a question is about: the "where" of control.h
 *
 * Owns the values that it compares with. Used by the request loop alone.
 */
#ifndef PMEM2FS_CONTROL_MAPPING_FILTER_H
#define PMEM2FS_CONTROL_MAPPING_FILTER_H

#include "catalog/document_version.h"
#include <jansson.h>
#include <stdbool.h>

/*
 * So many alternatives at most, and conditions in all of them, since the time for a mapping grows
 * with these; how many values they have is limited by the packet.
 */
#define MAPPING_FILTER_ALTERNATIVES 8
#define MAPPING_FILTER_CONDITIONS   24

struct mapping_filter;

/* In this order, so that the lowest of all keys counts, and the highest of all alternatives. */
enum mapping_match {
	MATCH_NO,
	MATCH_UNDECIDED, /* facts that are not known decide it */
	MATCH_YES,
};

/*
 * Makes a filter from the value of "where". Returns 0, -EINVAL with a reason in *why (a constant),
 * or -ENOMEM.
 */
int mapping_filter_new(const json_t *where, struct mapping_filter **filter, const char **why);
void mapping_filter_free(struct mapping_filter *filter);

/*
 * Whether the version is of a mapping that is asked for. With `fresh` false, the facts in it may
 * be out of date, and only what does not change counts. NULL, no filter, takes all.
 */
enum mapping_match mapping_filter_match(const struct mapping_filter *filter,
					const struct version *version, bool fresh);

#endif
