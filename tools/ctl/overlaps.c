// SPDX-License-Identifier: BSD-3-Clause
/*
 * overlaps.c - which mappings are of bytes that another process maps as well
 *
 * Sorts all ranges and passes over them once in each direction, so that thousands of processes that
 * map the same file are no problem. Calls document.c and memory.c.
 */
#include "ctl/overlaps.h"
#include "ctl/document.h"
#include "ctl/memory.h"
#include <stdlib.h>
#include <string.h>

static void add_range(struct overlaps *overlaps, const struct overlap *range)
{
	struct overlap *added;

	memory_reserve(overlaps->list, &overlaps->room, overlaps->count + 1, 256);
	added = &overlaps->list[overlaps->count++];
	*added = *range;
	added->name = memory_require(strdup(range->name));
	json_incref(added->document);
}

static void drop_range(struct overlap *range)
{
	free(range->name);
	json_decref(range->document);
}

void overlaps_add(struct overlaps *overlaps, const char *name, json_t *document)
{
	const json_t *source = json_object_get(document, "source");
	const json_t *extents = json_object_get(document, "extents");
	const json_t *pid = json_object_get(json_object_get(document, "owner"), "pid");
	uint64_t offset, length, start;
	const json_t *extent;
	size_t i;
	struct overlap range = {
		.name = (char *)name,
		.document = document,
		.dev = json_string_value(json_object_get(source, "dev")),
		.node = document_source_is_dax(source),
		.pid = json_integer_value(pid),
	};

	if (!range.dev || !json_is_integer(pid) ||
	    !document_number(json_object_get(source, "offset"), &offset) ||
	    !document_number(json_object_get(document, "length"), &length) ||
	    (!range.node && !document_number(json_object_get(source, "inode"), &range.inode)))
		return;
	if (!json_is_array(extents)) {
		range.start = offset;
		if (!__builtin_add_overflow(offset, length, &range.end))
			add_range(overlaps, &range);
		return;
	}
	json_array_foreach (extents, i, extent) {
		if (document_number(json_object_get(extent, "offset"), &start) &&
		    document_number(json_object_get(extent, "length"), &length) &&
		    !__builtin_add_overflow(offset, start, &range.start) &&
		    !__builtin_add_overflow(range.start, length, &range.end))
			add_range(overlaps, &range);
	}
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_sources(const struct overlap *a, const struct overlap *b)
{
	int result = strcmp(a->dev, b->dev);

	if (!result)
		result = (int)a->node - (int)b->node;
	return result ? result : compare_numbers(a->inode, b->inode);
}

static int compare_ranges(const void *left, const void *right)
{
	const struct overlap *a = left, *b = right;
	int result = compare_sources(a, b);

	if (!result)
		result = compare_numbers(a->start, b->start);
	return result ? result : strcmp(a->name, b->name);
}

static int compare_in_groups(const void *left, const void *right)
{
	const struct overlap *a = left, *b = right;
	int result = compare_numbers(a->group, b->group);

	if (!result)
		result = strcmp(a->name, b->name);
	return result ? result : compare_numbers(a->start, b->start);
}

/* The farthest end so far, and the farthest of another process than that. */
struct farthest {
	json_int_t pid, other_pid;
	uint64_t end, other_end;
};

static void note_end(struct farthest *farthest, const struct overlap *range)
{
	if (range->end > farthest->end) {
		if (range->pid != farthest->pid) {
			farthest->other_pid = farthest->pid;
			farthest->other_end = farthest->end;
		}
		farthest->pid = range->pid;
		farthest->end = range->end;
	} else if (range->pid != farthest->pid && range->end > farthest->other_end) {
		farthest->other_pid = range->pid;
		farthest->other_end = range->end;
	}
}

/* Of one source, `count` ranges by their starts. Returns the number of the last group. */
static size_t find_in_source(struct overlap *list, size_t count, size_t group)
{
	struct farthest farthest = {0};
	const struct overlap *next_other = NULL; /* the first behind that is another process's */
	uint64_t end = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t other = list[i].pid != farthest.pid ? farthest.end : farthest.other_end;

		list[i].shared = other > list[i].start;
		note_end(&farthest, &list[i]);
	}
	for (size_t i = count; i-- > 0;) {
		if (i + 1 < count && list[i + 1].pid != list[i].pid)
			next_other = &list[i + 1];
		if (next_other && next_other->start < list[i].end)
			list[i].shared = true;
	}
	for (size_t i = 0; i < count; i++) {
		if (!list[i].shared)
			continue;
		if (list[i].start >= end)
			group++;
		if (end < list[i].end)
			end = list[i].end;
		list[i].group = group;
	}
	return group;
}

static void keep_shared(struct overlaps *overlaps)
{
	size_t kept = 0;

	for (size_t i = 0; i < overlaps->count; i++) {
		struct overlap *range = &overlaps->list[i];
		const struct overlap *last = kept ? &overlaps->list[kept - 1] : NULL;

		if (!range->shared ||
		    (last && last->group == range->group && !strcmp(last->name, range->name)))
			drop_range(range);
		else
			overlaps->list[kept++] = *range;
	}
	overlaps->count = kept;
}

void overlaps_find(struct overlaps *overlaps)
{
	size_t group = 0, next;

	if (!overlaps->count)
		return;
	qsort(overlaps->list, overlaps->count, sizeof(*overlaps->list), compare_ranges);
	for (size_t first = 0; first < overlaps->count; first = next) {
		next = first + 1;
		while (next < overlaps->count &&
		       compare_sources(&overlaps->list[first], &overlaps->list[next]) == 0)
			next++;
		group = find_in_source(&overlaps->list[first], next - first, group);
	}
	qsort(overlaps->list, overlaps->count, sizeof(*overlaps->list), compare_in_groups);
	keep_shared(overlaps);
}

void overlaps_clear(struct overlaps *overlaps)
{
	for (size_t i = 0; i < overlaps->count; i++)
		drop_range(&overlaps->list[i]);
	free(overlaps->list);
}
