// SPDX-License-Identifier: BSD-3-Clause
/*
 * list_table.c - the table of pmem2ctl list
 *
 * Owns the columns: what of a document is in which. Calls grid.c, size.c, memory.c
 * and base/escape.c.
 */
#include "ctl/list_table.h"
#include "base/escape.h"
#include "ctl/grid.h"
#include "ctl/memory.h"
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

/* A key that is absent does not apply; one that is not what it should be is as good as null. */
static const char *text_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return NULL;
	return json_is_string(value) ? json_string_value(value) : "?";
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

static const char *owner_text(struct list_table *table, const json_t *document)
{
	const json_t *uid = json_object_get(json_object_get(document, "owner"), "uid");
	json_int_t number = json_integer_value(uid);

	if (!json_is_integer(uid) || number < 0 || number > UINT32_MAX)
		return "?";
	return user_name(table, (uid_t)number);
}

static void set_bytes(struct list_table *table, size_t column, const json_t *bytes, bool human)
{
	char text[SIZE_TEXT_LENGTH] = "?";

	if (json_is_integer(bytes) && json_integer_value(bytes) >= 0)
		size_print(text, (uint64_t)json_integer_value(bytes), human);
	set_cell(table, column, text);
}

static void set_sync(struct list_table *table, const json_t *sync)
{
	if (json_is_boolean(sync))
		set_cell(table, SYNC, json_is_true(sync) ? "yes" : "no");
	else if (sync)
		set_cell(table, SYNC, "?");
}

static void set_source(struct list_table *table, const json_t *source)
{
	const char *path = text_of(source, "path");
	char *text;

	if (!path || !json_is_true(json_object_get(source, "deleted"))) {
		set_cell(table, SOURCE, path ? path : text_of(source, "type"));
		return;
	}
	text = memory_format("%s (deleted)", path);
	set_cell(table, SOURCE, text);
	free(text);
}

static void set_name(struct list_table *table, const char *name)
{
	char *text = memory_require(escape_encode(name));

	set_cell(table, NAME, text);
	free(text);
}

/* Facts that only the owner of a mapping knows: an observed mapping has none of them. */
static bool is_unknowable(const json_t *document, const char *key)
{
	const char *origin = json_string_value(json_object_get(document, "origin"));

	return origin && !strcmp(origin, "observed") &&
	       json_is_null(json_object_get(document, key));
}

static void set_group(struct list_table *table, const json_t *document, size_t group, bool human)
{
	char text[SIZE_TEXT_LENGTH];

	size_print(text, group, false);
	set_cell(table, GROUP, text);
	set_bytes(table, PID, json_object_get(json_object_get(document, "owner"), "pid"), false);
	set_bytes(table, OFFSET, json_object_get(json_object_get(document, "source"), "offset"),
		  human);
}

void list_table_add(struct list_table *table, const char *name, const json_t *document,
		    size_t group, bool human)
{
	grid_add_row(&table->grid);
	set_name(table, name);
	if (!document)
		return;
	if (table->groups)
		set_group(table, document, group, human);
	set_cell(table, OWNER, owner_text(table, document));
	set_bytes(table, SIZE, json_object_get(document, "length"), human);
	if (!is_unknowable(document, "granularity"))
		set_cell(table, GRANULARITY, text_of(document, "granularity"));
	if (!is_unknowable(document, "map_sync"))
		set_sync(table, json_object_get(document, "map_sync"));
	set_cell(table, STATE, text_of(document, "state"));
	set_cell(table, ORIGIN, text_of(document, "origin"));
	set_cell(table, NAMESPACE, text_of(json_object_get(document, "device"), "namespace"));
	set_source(table, json_object_get(document, "source"));
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
