// SPDX-License-Identifier: BSD-3-Clause
/*
 * list_table.c - the table of pmem2ctl list
 *
 * Owns the columns: what of a mapping is in which. Calls rows.c, grid.c, size.c and memory.c.
 */
#include "ctl/list_table.h"
#include "ctl/grid.h"
#include "ctl/memory.h"
#include "ctl/rows.h"
#include "ctl/size.h"
#include <pwd.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	GROUP, /* the first three only in a table with groups */
	PID,
	OFFSET,
	NAME,
	OWNER,
	SIZE,
	GRANULARITY,
	SYNC,
	STATE,
	ORIGIN,
	NAMESPACE,
	SOURCE,
	COLUMN_COUNT,
};

const char *const list_fields[DOCUMENT_FIELDS] = {
	[FIELD_NAME] = "name",
	[FIELD_ERRNO] = "errno",
	[FIELD_PENDING] = "pending",
	[FIELD_UID] = "owner.uid",
	[FIELD_LENGTH] = "length",
	[FIELD_GRANULARITY] = "granularity",
	[FIELD_MAP_SYNC] = "map_sync",
	[FIELD_STATE] = "state",
	[FIELD_ORIGIN] = "origin",
	[FIELD_NAMESPACE] = "device.namespace",
	[FIELD_TYPE] = "source.type",
	[FIELD_PATH] = "source.path",
	[FIELD_DELETED] = "source.deleted",
	[FIELD_DEV] = "source.dev",
	[FIELD_PID] = "owner.pid",
	[FIELD_OFFSET] = "source.offset",
	[FIELD_INODE] = "source.inode",
	[FIELD_EXTENTS] = "extents",
	[FIELD_DOCUMENT] = "document",
};

static const struct grid_column columns[COLUMN_COUNT] = {
	[GROUP] = {"GROUP", true},
	[PID] = {"PID", true},
	[OFFSET] = {"OFFSET", true},
	[NAME] = {"NAME", false},
	[OWNER] = {"OWNER", false},
	[SIZE] = {"SIZE", true},
	[GRANULARITY] = {"GRANULARITY", false},
	[SYNC] = {"SYNC", false},
	[STATE] = {"STATE", false},
	[ORIGIN] = {"ORIGIN", false},
	[NAMESPACE] = {"NAMESPACE", false},
	[SOURCE] = {"SOURCE", false},
};

void list_table_init(struct list_table *table, bool groups)
{
	size_t first = groups ? GROUP : NAME;

	*table = (struct list_table){
		.grid = {.columns = columns + first, .width = COLUMN_COUNT - first},
		.groups = groups,
	};
}

static void set_cell(struct list_table *table, size_t column, const char *text)
{
	grid_set(&table->grid, column - (table->groups ? GROUP : NAME), text);
}

/* What does not apply stays empty. */
static const char *text_of(const struct list_table *table, const char *field)
{
	return field == row_null ? table->null : field;
}

static void set_bytes(struct list_table *table, size_t column, const char *bytes)
{
	grid_set_bytes(&table->grid, column - (table->groups ? GROUP : NAME), bytes);
}

struct user {
	uid_t uid;
	char *name;
};

static int compare_users(const void *left, const void *right)
{
	uid_t a = ((const struct user *)left)->uid, b = ((const struct user *)right)->uid;

	return (a > b) - (a < b);
}

static void free_user(void *memory)
{
	struct user *user = memory;

	free(user->name);
	free(user);
}

/* The name may come from a server in the network, so each user is looked up once. */
static const char *user_name(struct list_table *table, uid_t uid)
{
	const struct user key = {.uid = uid};
	struct user *const *found = tfind(&key, &table->users, compare_users);
	const struct passwd *entry;
	struct user *user;

	if (found)
		return (*found)->name;

	entry = getpwuid(uid);
	user = memory_require(malloc(sizeof(*user)));
	user->uid = uid;
	if (entry)
		user->name = memory_require(strdup(entry->pw_name));
	else
		user->name = memory_format("%u", uid);
	memory_require(tsearch(user, &table->users, compare_users));
	return user->name;
}

static const char *owner_text(struct list_table *table, const char *field)
{
	uint64_t number;

	if (!row_number(field, &number) || number > UINT32_MAX)
		return table->null;
	return user_name(table, (uid_t)number);
}

static void set_size(struct list_table *table, size_t column, const char *field, bool human)
{
	char text[SIZE_TEXT_LENGTH];
	uint64_t number;

	if (row_number(field, &number)) {
		size_print(text, number, human);
		set_cell(table, column, text);
	} else {
		set_cell(table, column, table->null);
	}
}

static void set_sync(struct list_table *table, const char *field)
{
	if (!row_text(field))
		set_cell(table, SYNC, text_of(table, field));
	else
		set_cell(table, SYNC, row_is_true(field) ? "yes" : "no");
}

static void set_source(struct list_table *table, const char *const *fields)
{
	const char *path = row_text(fields[FIELD_PATH]);
	char *text;

	if (!path) {
		set_cell(table, SOURCE,
			 text_of(table, fields[fields[FIELD_PATH] ? FIELD_PATH : FIELD_TYPE]));
	} else if (row_is_true(fields[FIELD_DELETED])) {
		/* In front: a path may end like that, but not begin. */
		text = memory_format("(deleted) %s", path);
		set_bytes(table, SOURCE, text);
		free(text);
	} else {
		set_bytes(table, SOURCE, path);
	}
}

/* Facts that only the owner of a mapping knows: an observed mapping has none of them. */
static bool is_unknowable(const char *const *fields, enum list_field field)
{
	const char *origin = row_text(fields[FIELD_ORIGIN]);

	return fields[field] == row_null && !row_is_true(fields[FIELD_PENDING]) && origin &&
	       !strcmp(origin, "observed");
}

/* While the facts of a file are pending, its device may not be known yet. */
static const char *namespace_of(const struct list_table *table, const char *const *fields)
{
	bool unknown = row_is_true(fields[FIELD_PENDING]) && fields[FIELD_DEV];

	return !fields[FIELD_NAMESPACE] && unknown ? table->null
						   : text_of(table, fields[FIELD_NAMESPACE]);
}

static void set_group(struct list_table *table, const char *const *fields, size_t group, bool human)
{
	char text[SIZE_TEXT_LENGTH];

	size_print(text, group, false);
	set_cell(table, GROUP, text);
	set_size(table, PID, fields[FIELD_PID], false);
	set_size(table, OFFSET, fields[FIELD_OFFSET], human);
}

void list_table_add(struct list_table *table, const char *const *fields, size_t group, bool human)
{
	const char *name = row_text(fields[FIELD_NAME]);

	grid_add_row(&table->grid);
	set_bytes(table, NAME, name ? name : row_null);
	if (fields[FIELD_ERRNO])
		return;
	table->null = row_is_true(fields[FIELD_PENDING]) ? "..." : "?";
	if (table->groups)
		set_group(table, fields, group, human);
	set_cell(table, OWNER, owner_text(table, fields[FIELD_UID]));
	set_size(table, SIZE, fields[FIELD_LENGTH], human);
	if (!is_unknowable(fields, FIELD_GRANULARITY))
		set_cell(table, GRANULARITY, text_of(table, fields[FIELD_GRANULARITY]));
	if (!is_unknowable(fields, FIELD_MAP_SYNC))
		set_sync(table, fields[FIELD_MAP_SYNC]);
	set_cell(table, STATE, text_of(table, fields[FIELD_STATE]));
	set_cell(table, ORIGIN, text_of(table, fields[FIELD_ORIGIN]));
	set_cell(table, NAMESPACE, namespace_of(table, fields));
	set_source(table, fields);
}

int list_table_print(const struct list_table *table)
{
	return grid_print(&table->grid);
}

void list_table_clear(struct list_table *table)
{
	grid_clear(&table->grid);
	tdestroy(table->users, free_user);
}
