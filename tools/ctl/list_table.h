/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * list_table.h - the table of pmem2ctl list
 */
#ifndef PMEM2FS_CTL_LIST_TABLE_H
#define PMEM2FS_CTL_LIST_TABLE_H

#include "ctl/grid.h"
#include <jansson.h>

struct list_table {
	struct grid grid;
	bool groups; /* with the columns for groups of overlapping mappings */
	void *users; /* names of users that were looked up, for tsearch */
};

void list_table_init(struct list_table *table, bool groups);

/*
 * Adds a mapping; `document` is NULL where it may not be read. Sizes in bytes, or as 64M. `group`
 * is for a table with groups.
 */
void list_table_add(struct list_table *table, const char *name, const json_t *document,
		    size_t group, bool human);

/* Returns 0 or a negative errno. */
int list_table_print(const struct list_table *table);

void list_table_clear(struct list_table *table);

#endif
