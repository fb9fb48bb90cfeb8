// SPDX-License-Identifier: BSD-3-Clause
/*
 * table.c - the aligned table of pmem2ctl list
 *
 * Owns the columns: what of a document is in which. Knows nothing of files. Calls text.c, size.c
 * and fs/escape.c.
 */
#include "table.h"

#include "escape.h"
#include "pmem2ctl.h"
#include <inttypes.h>
#include <pwd.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
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

static const char *const titles[COLUMN_COUNT] = {
	"NAME", "OWNER", "SIZE", "GRANULARITY", "SYNC", "STATE", "ORIGIN", "NAMESPACE", "SOURCE",
};

struct row {
	char *text[COLUMN_COUNT]; /* NULL is "-": does not apply, or may not be read */
	size_t width[COLUMN_COUNT];
};

static void set(struct row *row, int column, const char *text)
{
	if (text)
		row->text[column] = text_display(text, &row->width[column]);
}

/* A key that is absent does not apply; one that is not what it should be is as good as null. */
static const char *word(const json_t *object, const char *key)
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

/* Looking a user up may ask a server, so it is done once for each. */
static const char *user_name(struct table *table, uid_t uid)
{
	const struct user key = {.uid = uid};
	struct user *const *found = tfind(&key, &table->users, compare_users);
	if (found)
		return (*found)->name;

	const struct passwd *entry = getpwuid(uid);
	struct user *user = needed(malloc(sizeof(*user)));
	user->uid = uid;
	if (entry)
		user->name = needed(strdup(entry->pw_name));
	else if (asprintf(&user->name, "%u", uid) < 0)
		needed(NULL);
	needed(tsearch(user, &table->users, compare_users));
	return user->name;
}

static const char *owner_text(struct table *table, const json_t *document)
{
	const json_t *uid = json_object_get(json_object_get(document, "owner"), "uid");
	json_int_t number = json_integer_value(uid);

	if (!json_is_integer(uid) || number < 0 || number > UINT32_MAX)
		return "?";
	return user_name(table, (uid_t)number);
}

static void set_size(struct row *row, const json_t *length, bool human)
{
	char text[SIZE_TEXT_LENGTH] = "?";

	if (json_is_integer(length) && json_integer_value(length) >= 0)
		size_print(text, (uint64_t)json_integer_value(length), human);
	set(row, SIZE, text);
}

static void set_sync(struct row *row, const json_t *sync)
{
	if (json_is_boolean(sync))
		set(row, SYNC, json_is_true(sync) ? "yes" : "no");
	else if (sync)
		set(row, SYNC, "?");
}

static void set_source(struct row *row, const json_t *source)
{
	const char *path = word(source, "path");
	char *text;

	if (!path || !json_is_true(json_object_get(source, "deleted"))) {
		set(row, SOURCE, path ? path : word(source, "type"));
		return;
	}
	if (asprintf(&text, "%s (deleted)", path) < 0)
		needed(NULL);
	set(row, SOURCE, text);
	free(text);
}

static void set_name(struct row *row, const char *name)
{
	char *text = needed(escape_encode(name));

	set(row, NAME, text);
	free(text);
}

void table_add(struct table *table, const char *name, const json_t *document, bool human)
{
	if (table->count == table->room) {
		table->room = table->room ? 2 * table->room : 256;
		table->rows = needed(reallocarray(table->rows, table->room, sizeof(*table->rows)));
	}
	struct row *row = &table->rows[table->count++];
	*row = (struct row){0};

	set_name(row, name);
	if (!document)
		return;
	set(row, OWNER, owner_text(table, document));
	set_size(row, json_object_get(document, "length"), human);
	set(row, GRANULARITY, word(document, "granularity"));
	set_sync(row, json_object_get(document, "map_sync"));
	set(row, STATE, word(document, "state"));
	set(row, ORIGIN, word(document, "origin"));
	set(row, NAMESPACE, word(json_object_get(document, "device"), "namespace"));
	set_source(row, json_object_get(document, "source"));
}

static void print_row(FILE *stream, const char *const text[], const size_t width[],
		      const size_t columns[])
{
	for (int i = 0; i < COLUMN_COUNT; i++) {
		const char *cell = text[i] ? text[i] : "-";
		int padding = (int)(columns[i] - (text[i] ? width[i] : 1));

		if (i == SOURCE) /* the last: nothing behind it */
			fprintf(stream, "%s\n", cell);
		else if (i == SIZE)
			fprintf(stream, "%*s%s  ", padding, "", cell);
		else
			fprintf(stream, "%s%*s  ", cell, padding, "");
	}
}

int table_print(const struct table *table)
{
	size_t columns[COLUMN_COUNT], title_width[COLUMN_COUNT];
	char *text = NULL;
	size_t length;

	for (int i = 0; i < COLUMN_COUNT; i++)
		columns[i] = title_width[i] = strlen(titles[i]);
	for (size_t row = 0; row < table->count; row++)
		for (int i = 0; i < COLUMN_COUNT; i++)
			if (columns[i] < table->rows[row].width[i])
				columns[i] = table->rows[row].width[i];

	FILE *stream = needed(open_memstream(&text, &length));
	print_row(stream, titles, title_width, columns);
	for (size_t row = 0; row < table->count; row++)
		print_row(stream, (const char *const *)table->rows[row].text,
			  table->rows[row].width, columns);
	if (fclose(stream))
		needed(NULL);
	int error = output(text, length);
	free(text);
	return error;
}

void table_clear(struct table *table)
{
	for (size_t row = 0; row < table->count; row++)
		for (int i = 0; i < COLUMN_COUNT; i++)
			free(table->rows[row].text[i]);
	free(table->rows);
	tdestroy(table->users, free_user);
}
