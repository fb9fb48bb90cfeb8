/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * extents.c - see extents.h
 */
#include "base/extents.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t extents_whole(uint64_t length)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return (length + page - 1) / page * page;
}

struct extents *extents_new(void)
{
	return calloc(1, sizeof(struct extents));
}

int extents_append(struct extents **extents, uint64_t begin, uint64_t end)
{
	struct extents *list = *extents;
	struct extent *last = list->count ? &list->list[list->count - 1] : NULL;

	if (last && begin <= last->offset + last->length) {
		if (end > last->offset + last->length)
			last->length = end - last->offset;
		return 0;
	}
	list = realloc(list, sizeof(*list) + (list->count + 1) * sizeof(*list->list));
	if (!list)
		return -ENOMEM;
	list->list[list->count++] = (struct extent){.offset = begin, .length = end - begin};
	*extents = list;
	return 0;
}

int extents_intersect(const struct extents *a, const struct extents *b, struct extents **result)
{
	static const struct extent all = {.length = UINT64_MAX};
	const struct extent *x = a ? a->list : &all, *y = b ? b->list : &all;
	const struct extent *x_behind = x + (a ? a->count : 1), *y_behind = y + (b ? b->count : 1);
	struct extents *both;
	int error = 0;

	if (!a && !b) {
		*result = NULL;
		return 0;
	}
	both = extents_new();
	if (!both)
		return -ENOMEM;
	while (!error && x < x_behind && y < y_behind) {
		uint64_t x_end = x->offset + x->length, y_end = y->offset + y->length;
		uint64_t begin = x->offset > y->offset ? x->offset : y->offset;
		uint64_t end = x_end < y_end ? x_end : y_end;

		if (begin < end)
			error = extents_append(&both, begin, end);
		if (x_end < y_end)
			x++;
		else
			y++;
	}
	if (error)
		free(both);
	else
		*result = both;
	return error;
}

int extents_remove(const struct extents *extents, uint64_t whole, uint64_t begin, uint64_t end,
		   struct extents **result)
{
	struct extents *others = extents_new();
	int error = others ? 0 : -ENOMEM;

	if (!error && begin)
		error = extents_append(&others, 0, begin);
	if (!error && end < whole)
		error = extents_append(&others, end, whole);
	if (!error)
		error = extents_intersect(extents, others, result);
	free(others);
	return error;
}

bool extents_split(const struct extents *extents, uint64_t whole, uint64_t begin, uint64_t end)
{
	if (!extents)
		return begin > 0 && end < whole;
	for (size_t i = 0; i < extents->count; i++) {
		const struct extent *extent = &extents->list[i];

		if (extent->offset < begin && end < extent->offset + extent->length)
			return true;
	}
	return false;
}

bool extents_equal(const struct extents *a, const struct extents *b)
{
	if (!a || !b)
		return a == b;
	return a->count == b->count && !memcmp(a->list, b->list, a->count * sizeof(*a->list));
}

uint64_t extents_bytes(const struct extents *extents, uint64_t length)
{
	uint64_t bytes = 0;

	if (!extents)
		return length;
	for (size_t i = 0; i < extents->count; i++) {
		uint64_t begin = extents->list[i].offset, end = begin + extents->list[i].length;

		if (begin < length)
			bytes += (end < length ? end : length) - begin;
	}
	return bytes;
}
