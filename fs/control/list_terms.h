/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * list_terms.h - what a question for documents wants of which mappings
 *
 * The keys "columns" and "where" of {"list": 1} in control.h. Used by the request loop alone.
 */
#ifndef PMEM2FS_CONTROL_LIST_TERMS_H
#define PMEM2FS_CONTROL_LIST_TERMS_H

#include "control/mapping_filter.h"
#include "protocol/columns.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* All zero: the documents of all mappings. */
struct list_terms {
	struct mapping_filter *filter; /* owned; NULL: all mappings */
	const struct column *columns[COLUMNS_MAX];
	size_t column_count; /* 0: documents */
};

/*
 * Reads the terms of a question. Returns 0, -EINVAL with a reason in *why (a constant), or -ENOMEM;
 * then the terms are all zero.
 */
int list_terms_read(const json_t *question, struct list_terms *terms, const char **why);
void list_terms_clear(struct list_terms *terms);

/*
 * Whether facts that were read before the question was asked do not do for that mapping: it may be
 * asked for, and what is to be sent of it, or whether it is asked for, depends on them.
 */
bool list_terms_need_facts(const struct list_terms *terms, const struct version *version);

#endif
