/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * areas.c - what is mapped of the mappings of this process, in the order of addresses
 *
 * Owns the search tree (tsearch) over all areas and the memory of those that parts of a mapping
 * need. Ranges that overlap count as equal, so that looking for a range finds what is in it. An
 * area that is in the tree may be made smaller: that changes no order.
 */
#include "registry/areas.h"
#include <errno.h>
#include <search.h>
#include <stddef.h>
#include <stdlib.h>

static void *tree;

static int compare(const void *left, const void *right)
{
	const struct indexed_area *a = left;
	const struct indexed_area *b = right;

	if (a->is.end <= b->is.begin)
		return -1;
	return a->is.begin >= b->is.end;
}

const struct indexed_area *areas_any(uintptr_t from, uintptr_t end)
{
	const struct indexed_area wanted = {.is = {from, end}};
	struct indexed_area *const *found;

	if (from >= end)
		return NULL;
	found = tfind(&wanted, &tree, compare);
	return found ? *found : NULL;
}

/* Whatever lies below what was found is deeper in the tree: there are not many steps. */
const struct indexed_area *areas_lowest(uintptr_t from, uintptr_t end)
{
	const struct indexed_area *lowest = NULL;
	const struct indexed_area *found;

	while ((found = areas_any(from, end))) {
		lowest = found;
		end = found->is.begin;
	}
	return lowest;
}

const struct indexed_area *areas_highest(uintptr_t from, uintptr_t end)
{
	const struct indexed_area *highest = NULL;
	const struct indexed_area *found;

	while ((found = areas_any(from, end))) {
		highest = found;
		from = found->is.end;
	}
	return highest;
}

int areas_enter(struct areas *areas, struct slot *owner, const struct area *range,
		struct slot **other)
{
	struct indexed_area *const *found;

	areas->first = (struct indexed_area){*range, owner, NULL, NULL};
	found = tsearch(&areas->first, &tree, compare);
	if (!found)
		return -ENOMEM;
	if (*found != &areas->first) {
		*other = (*found)->owner;
		return -EEXIST;
	}
	areas->list = &areas->first;
	return 0;
}

static void forget(struct areas *areas, struct indexed_area *area)
{
	if (area->previous)
		area->previous->next = area->next;
	else
		areas->list = area->next;
	if (area->next)
		area->next->previous = area->previous;
	tdelete(area, &tree, compare);
	if (area != &areas->first)
		free(area);
}

void areas_clear(struct areas *areas)
{
	while (areas->list)
		forget(areas, areas->list);
}

/* Another mapping may lie in a gap of this one, whose owner is still noted in `first`. */
static struct indexed_area *lowest_own(const struct areas *areas, uintptr_t from, uintptr_t end)
{
	const struct indexed_area *found;

	if (!areas->list)
		return NULL;
	while ((found = areas_lowest(from, end)) && found->owner != areas->first.owner)
		from = found->is.end;
	return (struct indexed_area *)found;
}

int areas_cut(struct areas *areas, uintptr_t at)
{
	struct indexed_area *area = lowest_own(areas, at, at + 1);
	struct indexed_area *rest;

	if (!area || area->is.begin == at)
		return 0;
	rest = malloc(sizeof(*rest));
	if (!rest)
		return -ENOMEM;
	*rest = (struct indexed_area){{at, area->is.end}, area->owner, area, area->next};
	area->is.end = at;
	if (!tsearch(rest, &tree, compare)) {
		area->is.end = rest->is.end;
		free(rest);
		return -ENOMEM;
	}
	if (rest->next)
		rest->next->previous = rest;
	area->next = rest;
	return 0;
}

void areas_drop(struct areas *areas, const struct area *range)
{
	struct indexed_area *area = lowest_own(areas, range->begin, range->end);
	struct indexed_area *next;

	for (; area && area->is.end <= range->end; area = next) {
		next = area->next;
		forget(areas, area);
	}
}

bool areas_next_piece(const struct areas *areas, uintptr_t from, uintptr_t end, struct area *piece)
{
	const struct indexed_area *area = lowest_own(areas, from, end);
	uintptr_t behind;

	if (!area)
		return false;
	piece->begin = area->is.begin > from ? area->is.begin : from;
	do {
		behind = area->is.end;
		area = area->next;
	} while (area && area->is.begin == behind);
	piece->end = behind < end ? behind : end;
	return true;
}
