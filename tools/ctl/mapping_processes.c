// SPDX-License-Identifier: BSD-3-Clause
/*
 * mapping_processes.c - the processes that map an object
 *
 * Owns the list of mappings, and how it is printed by process. Calls grid.c, document.c, json.c,
 * size.c, memory.c and base/escape.c.
 */
#include "ctl/mapping_processes.h"
#include "base/escape.h"
#include "ctl/document.h"
#include "ctl/grid.h"
#include "ctl/json.h"
#include "ctl/memory.h"
#include "ctl/size.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PID, COMMAND, UNIT, SINCE, MAPPED, ORIGIN, NAME, COLUMN_COUNT };

static const struct grid_column columns[COLUMN_COUNT] = {
	[PID] = {"PID", true},      [COMMAND] = {"COMMAND", false}, [UNIT] = {"UNIT", false},
	[SINCE] = {"SINCE", false}, [MAPPED] = {"MAPPED", true},    [ORIGIN] = {"ORIGIN", false},
	[NAME] = {"NAME", false},
};

void mapping_processes_add(struct mapping_processes *processes, const char *name, json_t *document)
{
	const char *origin = json_string_value(json_object_get(document, "origin"));

	memory_reserve(processes->list, &processes->room, processes->count + 1, 64);
	processes->list[processes->count++] = (struct process_mapping){
		.pid = json_integer_value(
			json_object_get(json_object_get(document, "owner"), "pid")),
		.origin = origin ? origin : "?",
		.name = memory_require(strdup(name)),
		.document = json_incref(document),
	};
}

static int compare_holders(const struct process_mapping *a, const struct process_mapping *b)
{
	return a->pid == b->pid ? strcmp(a->origin, b->origin) : a->pid < b->pid ? -1 : 1;
}

static int compare_mappings(const void *left, const void *right)
{
	const struct process_mapping *a = left, *b = right;
	int result = compare_holders(a, b);

	return result ? result : strcmp(a->name, b->name);
}

void mapping_processes_sort(struct mapping_processes *processes)
{
	if (processes->count)
		qsort(processes->list, processes->count, sizeof(*processes->list),
		      compare_mappings);
}

bool mapping_processes_has(const struct mapping_processes *processes, pid_t pid)
{
	size_t low = 0, high = processes->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (processes->list[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < processes->count && processes->list[low].pid == pid;
}

/* How many there are, from the first on, of one process and origin. */
static size_t group_size(const struct mapping_processes *processes, size_t first)
{
	size_t end = first + 1;

	while (end < processes->count &&
	       compare_holders(&processes->list[first], &processes->list[end]) == 0)
		end++;
	return end - first;
}

static uint64_t sum_of(const struct process_mapping *list, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += document_mapped_bytes(list[i].document);
	return sum;
}

/* When the first one was made; NULL: unknown. */
static const char *first_created(const struct process_mapping *list, size_t count)
{
	const char *first = NULL;

	for (size_t i = 0; i < count; i++) {
		const char *created =
			json_string_value(json_object_get(list[i].document, "created"));

		if (created && (!first || strcmp(created, first) < 0))
			first = created;
	}
	return first;
}

static const char *owner_word(const struct process_mapping *mapping, const char *key)
{
	return json_string_value(json_object_get(json_object_get(mapping->document, "owner"), key));
}

static bool ends_with(const char *text, size_t length, const char *end)
{
	size_t size = strlen(end);

	return length > size && !strncmp(text + length - size, end, size);
}

/* The service or scope of systemd that a cgroup is in, else its last part. */
static char *unit_of(const char *cgroup)
{
	const char *unit = NULL;
	size_t unit_length = 0;
	bool found = false;

	while (cgroup && *cgroup) {
		size_t length = strcspn(cgroup, "/");
		bool is_unit = ends_with(cgroup, length, ".service") ||
			       ends_with(cgroup, length, ".scope");

		if (length && (is_unit || !found)) {
			unit = cgroup;
			unit_length = length;
			found = is_unit;
		}
		cgroup += length + (cgroup[length] == '/');
	}
	return unit ? memory_require(strndup(unit, unit_length)) : NULL;
}

/* Whole seconds; where no creation time is known, '>' and the start of the process. */
static void set_since(struct grid *grid, const struct process_mapping *list, size_t count)
{
	const char *created = first_created(list, count);
	const char *started = owner_word(&list[0], "started");
	const char *time = created ? created : started;
	char *text;

	if (!time)
		return;
	text = memory_format("%s%.*s%s", created ? "" : ">", (int)strcspn(time, "."), time,
			     strchr(time, '.') ? "Z" : "");
	grid_set(grid, SINCE, text);
	free(text);
}

static void set_name(struct grid *grid, const struct process_mapping *list, size_t count)
{
	char *name = memory_require(escape_encode(list[0].name)), *text;

	if (count == 1) {
		grid_set(grid, NAME, name);
	} else {
		text = memory_format("%s and %zu more", name, count - 1);
		grid_set(grid, NAME, text);
		free(text);
	}
	free(name);
}

int mapping_processes_print(const struct mapping_processes *processes)
{
	struct grid grid = {.columns = columns, .width = COLUMN_COUNT};
	size_t count;
	int error;

	for (size_t i = 0; i < processes->count; i += count) {
		const struct process_mapping *list = &processes->list[i];
		const char *exe = owner_word(list, "exe");
		char *unit = unit_of(owner_word(list, "cgroup"));
		char text[SIZE_TEXT_LENGTH];

		count = group_size(processes, i);
		grid_add_row(&grid);
		size_print(text, (uint64_t)list->pid, false);
		grid_set(&grid, PID, text);
		grid_set(&grid, COMMAND, exe ? exe : owner_word(list, "comm"));
		grid_set(&grid, UNIT, unit);
		set_since(&grid, list, count);
		size_print(text, sum_of(list, count), false);
		grid_set(&grid, MAPPED, text);
		grid_set(&grid, ORIGIN, list->origin);
		set_name(&grid, list, count);
		free(unit);
	}
	error = grid_print(&grid);
	grid_clear(&grid);
	return error;
}

/* Copies a fact of the document under the same key; one that is absent stays absent. */
static void put_fact(json_t *object, const json_t *from, const char *key)
{
	json_t *value = json_object_get(from, key);

	if (value && json_object_set(object, key, value))
		memory_exhausted();
}

static json_t *mapping_json(const struct process_mapping *mapping)
{
	static const char *const keys[] = {"state", "address", "length", "extents", "created"};
	static const char *const source_keys[] = {"type", "path", "path_encoding", "deleted",
						  "offset"};
	const json_t *source = json_object_get(mapping->document, "source");
	json_t *object = memory_require(json_object());

	json_put_bytes(object, "name", mapping->name);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		put_fact(object, mapping->document, keys[i]);
	for (size_t i = 0; i < sizeof(source_keys) / sizeof(source_keys[0]); i++)
		put_fact(object, source, source_keys[i]);
	return object;
}

json_t *mapping_processes_json(const struct mapping_processes *processes)
{
	static const char *const keys[] = {
		"comm",   "comm_encoding",   "exe",     "exe_encoding",
		"cgroup", "cgroup_encoding", "started",
	};
	json_t *array = memory_require(json_array());
	size_t count;

	for (size_t i = 0; i < processes->count; i += count) {
		const struct process_mapping *list = &processes->list[i];
		const json_t *owner = json_object_get(list->document, "owner");
		const char *created;
		json_t *object = memory_require(json_object());
		json_t *mappings = memory_require(json_array());

		count = group_size(processes, i);
		created = first_created(list, count);
		json_put(object, "pid", json_integer(list->pid));
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			put_fact(object, owner, keys[k]);
		json_put(object, "origin", json_string(list->origin));
		json_put(object, "since", created ? json_string(created) : json_null());
		json_put(object, "mapped", json_integer((json_int_t)sum_of(list, count)));
		for (size_t k = 0; k < count; k++)
			json_append(mappings, mapping_json(&list[k]));
		json_put(object, "mappings", mappings);
		json_append(array, object);
	}
	return array;
}

void mapping_processes_clear(struct mapping_processes *processes)
{
	for (size_t i = 0; i < processes->count; i++) {
		free(processes->list[i].name);
		json_decref(processes->list[i].document);
	}
	free(processes->list);
}
