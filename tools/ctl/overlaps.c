// SPDX-License-Identifier: BSD-3-Clause
/*
 * overlaps.c - which mappings are of bytes that another process maps as well
 *
 * Sorts all ranges and passes over them once in each direction, so that thousands of processes that
 * map the same file are no problem. Calls rows.c and memory.c.
 */
#include "ctl/overlaps.h"
#include "ctl/list_table.h"
#include "ctl/memory.h"
#include "ctl/rows.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Adds `length` bytes from `start` of the mapping on, which begins at `offset` of its source. */
static void add_range(struct overlaps *overlaps, const struct overlap *mapping, uint64_t offset,
		      uint64_t start, uint64_t length)
{
	struct overlap *added;
	uint64_t begin, end;

	if (__builtin_add_overflow(offset, start, &begin) ||
	    __builtin_add_overflow(begin, length, &end))
		return;
	memory_reserve(overlaps->list, &overlaps->room, overlaps->count + 1, 256);
	added = &overlaps->list[overlaps->count++];
	*added = *mapping;
	added->start = begin;
	added->end = end;
}

/* Of OFFSET+LENGTH,OFFSET+LENGTH... */
static void add_extents(struct overlaps *overlaps, const struct overlap *mapping, uint64_t offset,
			const char *extents)
{
	unsigned long long start, length;
	int used;

	while (sscanf(extents, "%llu+%llu%n", &start, &length, &used) == 2) {
		add_range(overlaps, mapping, offset, start, length);
		extents += used;
		extents += *extents == ',';
	}
}

void overlaps_add(struct overlaps *overlaps, const char *const *fields)
{
	const char *type = row_text(fields[FIELD_TYPE]);
	struct overlap mapping = {
		.fields = fields,
		.name = row_text(fields[FIELD_NAME]),
		.dev = row_text(fields[FIELD_DEV]),
		.node = type && !strcmp(type, "devdax"), /* its number is its own */
	};
	uint64_t offset, length;

	if (!mapping.name || !mapping.dev || !row_number(fields[FIELD_PID], &mapping.pid) ||
	    !row_number(fields[FIELD_OFFSET], &offset) ||
	    !row_number(fields[FIELD_LENGTH], &length) ||
	    (!mapping.node && !row_number(fields[FIELD_INODE], &mapping.inode)))
		return;
	if (row_text(fields[FIELD_EXTENTS]))
		add_extents(overlaps, &mapping, offset, fields[FIELD_EXTENTS]);
	else
		add_range(overlaps, &mapping, offset, 0, length);
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
	uint64_t pid, other_pid;
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
			continue;
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
	free(overlaps->list);
}
