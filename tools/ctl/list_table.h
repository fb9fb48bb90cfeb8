/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * list_table.h - the table of pmem2ctl list
 */
#ifndef PMEM2FS_CTL_LIST_TABLE_H
#define PMEM2FS_CTL_LIST_TABLE_H

#include "ctl/grid.h"
#include <stdbool.h>
#include <stddef.h>

/* What list asks of the daemon (rows.h), in this order. */
enum list_field {
	FIELD_NAME,
	FIELD_ERRNO,
	FIELD_PENDING,
	FIELD_UID,
	FIELD_LENGTH,
	FIELD_GRANULARITY,
	FIELD_MAP_SYNC,
	FIELD_STATE,
	FIELD_ORIGIN,
	FIELD_NAMESPACE,
	FIELD_TYPE,
	FIELD_PATH,
	FIELD_DELETED,
	FIELD_DEV,
	LIST_FIELDS,
	/* With groups also: */
	FIELD_PID = LIST_FIELDS,
	FIELD_OFFSET,
	FIELD_INODE,
	FIELD_EXTENTS,
	GROUP_FIELDS,
	/* With groups as JSON also: */
	FIELD_DOCUMENT = GROUP_FIELDS,
	DOCUMENT_FIELDS,
};

/* The columns of these fields. */
extern const char *const list_fields[DOCUMENT_FIELDS];

struct list_table {
	struct grid grid;
	bool groups;      /* the table has columns for groups of overlapping mappings */
	const char *null; /* the text for null in the row that is being added */
	void *users;      /* a tree (tsearch) of the user names that were looked up */
};

void list_table_init(struct list_table *table, bool groups);

/*
 * Adds a mapping with its list_fields. Sizes in bytes, or as 64M. `group` is for a table with
 * groups.
 */
void list_table_add(struct list_table *table, const char *const *fields, size_t group, bool human);

/* Returns 0 or a negative errno. */
int list_table_print(const struct list_table *table);

void list_table_clear(struct list_table *table);

#endif
