/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.h - the aligned table of pmem2ctl list
 */
#ifndef PMEM2CTL_TABLE_H
#define PMEM2CTL_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct table {
	struct row *rows;
	size_t count, room;
	void *users; /* names of users that were looked up, for tsearch */
};

/* Adds a mapping; `document` is NULL where it may not be read. Sizes in bytes, or as 64M. */
void table_add(struct table *table, const char *name, const json_t *document, bool human);

/* Returns 0 or a negative errno. */
int table_print(const struct table *table);

void table_clear(struct table *table);

#endif
