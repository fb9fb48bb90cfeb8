// SPDX-License-Identifier: BSD-3-Clause
/*
 * mapping_processes.c - the processes that map an object
 *
 * Owns the list of mappings, and how it is printed by process. Calls rows.c, grid.c, json.c, size.c
 * and memory.c.
 */
#include "ctl/mapping_processes.h"
#include "ctl/grid.h"
#include "ctl/json.h"
#include "ctl/memory.h"
#include "ctl/rows.h"
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

const char *const process_fields[PROCESS_FIELDS_JSON] = {
	[HOLDS_NAME] = "name",
	[HOLDS_ORIGIN] = "origin",
	[HOLDS_PID] = "owner.pid",
	[HOLDS_COMM] = "owner.comm",
	[HOLDS_EXE] = "owner.exe",
	[HOLDS_CGROUP] = "owner.cgroup",
	[HOLDS_STARTED] = "owner.started",
	[HOLDS_CREATED] = "created",
	[HOLDS_MAPPED] = "mapped",
	[HOLDS_DOCUMENT] = "document",
};

void mapping_processes_add(struct mapping_processes *processes, const char *const *fields)
{
	const char *name = row_text(fields[HOLDS_NAME]), *origin = row_text(fields[HOLDS_ORIGIN]);
	struct process_mapping *mapping;

	memory_reserve(processes->list, &processes->room, processes->count + 1, 64);
	mapping = &processes->list[processes->count++];
	*mapping = (struct process_mapping){
		.fields = fields,
		.name = name ? name : row_null,
		.origin = origin ? origin : row_null,
	};
	row_number(fields[HOLDS_PID], &mapping->pid);
	row_number(fields[HOLDS_MAPPED], &mapping->mapped);
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

static int compare_pid(const void *key, const void *element)
{
	const uint64_t *pid = key;
	const struct process_mapping *mapping = element;

	return (*pid > mapping->pid) - (*pid < mapping->pid);
}

bool mapping_processes_has(const struct mapping_processes *processes, pid_t pid)
{
	uint64_t wanted = (uint64_t)pid;

	return processes->count && bsearch(&wanted, processes->list, processes->count,
					   sizeof(*processes->list), compare_pid);
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
		sum += list[i].mapped;
	return sum;
}

/* When the first one was made; NULL: unknown. */
static const char *first_created(const struct process_mapping *list, size_t count)
{
	const char *first = NULL;

	for (size_t i = 0; i < count; i++) {
		const char *created = row_text(list[i].fields[HOLDS_CREATED]);

		if (created && (!first || strcmp(created, first) < 0))
			first = created;
	}
	return first;
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
	const char *started = row_text(list[0].fields[HOLDS_STARTED]);
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
	char *text;

	if (count == 1) {
		grid_set_bytes(grid, NAME, list[0].name);
		return;
	}
	text = memory_format("%s and %zu more", list[0].name, count - 1);
	grid_set_bytes(grid, NAME, text);
	free(text);
}

int mapping_processes_print(const struct mapping_processes *processes)
{
	struct grid grid = {.columns = columns, .width = COLUMN_COUNT};
	size_t count;
	int error;

	for (size_t i = 0; i < processes->count; i += count) {
		const struct process_mapping *list = &processes->list[i];
		const char *exe = row_text(list->fields[HOLDS_EXE]);
		char *unit = unit_of(row_text(list->fields[HOLDS_CGROUP]));
		char text[SIZE_TEXT_LENGTH];

		count = group_size(processes, i);
		grid_add_row(&grid);
		size_print(text, list->pid, false);
		grid_set(&grid, PID, text);
		grid_set_bytes(&grid, COMMAND, exe ? exe : row_text(list->fields[HOLDS_COMM]));
		grid_set_bytes(&grid, UNIT, unit);
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

static json_t *mapping_json(const struct process_mapping *mapping, const json_t *document)
{
	static const char *const keys[] = {"state", "address", "length", "extents", "created"};
	static const char *const source_keys[] = {"type", "path", "path_encoding", "deleted",
						  "offset"};
	const json_t *source = json_object_get(document, "source");
	json_t *object = memory_require(json_object());

	json_put_bytes(object, "name", mapping->name);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		put_fact(object, document, keys[i]);
	for (size_t i = 0; i < sizeof(source_keys) / sizeof(source_keys[0]); i++)
		put_fact(object, source, source_keys[i]);
	return object;
}

static json_t *document_of(const struct process_mapping *mapping)
{
	const char *text = row_text(mapping->fields[HOLDS_DOCUMENT]);

	return text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
}

/* The mappings of one process and origin. */
static json_t *process_json(const struct process_mapping *list, size_t count)
{
	static const char *const keys[] = {
		"comm",   "comm_encoding",   "exe",     "exe_encoding",
		"cgroup", "cgroup_encoding", "started",
	};
	const char *created = first_created(list, count);
	json_t *object = memory_require(json_object());
	json_t *mappings = memory_require(json_array());
	json_t *document = document_of(&list[0]);
	const json_t *owner = json_object_get(document, "owner");

	json_put(object, "pid", json_integer((json_int_t)list->pid));
	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
		put_fact(object, owner, keys[k]);
	json_decref(document);
	json_put(object, "origin", json_string(list->origin));
	json_put(object, "since", created ? json_string(created) : json_null());
	json_put(object, "mapped", json_integer((json_int_t)sum_of(list, count)));
	for (size_t k = 0; k < count; k++) {
		document = document_of(&list[k]);
		json_append(mappings, mapping_json(&list[k], document));
		json_decref(document);
	}
	json_put(object, "mappings", mappings);
	return object;
}

json_t *mapping_processes_json(const struct mapping_processes *processes)
{
	json_t *array = memory_require(json_array());
	size_t count;

	for (size_t i = 0; i < processes->count; i += count) {
		count = group_size(processes, i);
		json_append(array, process_json(&processes->list[i], count));
	}
	return array;
}

void mapping_processes_clear(struct mapping_processes *processes)
{
	free(processes->list);
}
