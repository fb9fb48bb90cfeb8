/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * interval_index.c - the mapped intervals of all mappings of this process, ordered by address
 *
 * Owns the search tree (tsearch) and the memory of each interval but the first of a mapping. Calls
 * libc only.
 *
 * Intervals that overlap compare as equal, so that a search for a range finds an interval that
 * overlaps it. No two intervals in the tree overlap. An interval in the tree may shrink: the order
 * stays the same.
 */
#include "registry/interval_index.h"
#include <errno.h>
#include <search.h>
#include <stddef.h>
#include <stdlib.h>

static void *tree;

static int compare_ranges(const void *left, const void *right)
{
	const struct indexed_interval *a = left;
	const struct indexed_interval *b = right;

	if (a->range.end <= b->range.begin)
		return -1;
	return a->range.begin >= b->range.end;
}

const struct indexed_interval *interval_index_any(uintptr_t from, uintptr_t end)
{
	const struct indexed_interval wanted = {.range = {from, end}};
	struct indexed_interval *const *found;

	if (from >= end)
		return NULL;
	found = tfind(&wanted, &tree, compare_ranges);
	return found ? *found : NULL;
}

/* Each lower interval lies deeper in the tree: the number of searches is at most its depth. */
const struct indexed_interval *interval_index_lowest(uintptr_t from, uintptr_t end)
{
	const struct indexed_interval *lowest = NULL;
	const struct indexed_interval *found;

	while ((found = interval_index_any(from, end))) {
		lowest = found;
		end = found->range.begin;
	}
	return lowest;
}

const struct indexed_interval *interval_index_highest(uintptr_t from, uintptr_t end)
{
	const struct indexed_interval *highest = NULL;
	const struct indexed_interval *found;

	while ((found = interval_index_any(from, end))) {
		highest = found;
		from = found->range.end;
	}
	return highest;
}

int interval_index_insert(struct interval_set *set, struct handle *owner,
			  const struct interval *range)
{
	struct indexed_interval *const *found;

	set->first = (struct indexed_interval){*range, owner, NULL, NULL};
	found = tsearch(&set->first, &tree, compare_ranges);
	if (!found)
		return -ENOMEM;
	if (*found != &set->first)
		return -EEXIST;
	set->list = &set->first;
	return 0;
}

static void remove_interval(struct interval_set *set, struct indexed_interval *interval)
{
	if (interval->previous)
		interval->previous->next = interval->next;
	else
		set->list = interval->next;
	if (interval->next)
		interval->next->previous = interval->previous;
	tdelete(interval, &tree, compare_ranges);
	if (interval != &set->first)
		free(interval);
}

void interval_index_clear(struct interval_set *set)
{
	while (set->list)
		remove_interval(set, set->list);
}

/*
 * The list is ascending, so that most searches end at its head, without the tree. The others skip
 * other mappings, which may lie in a gap of this one. `first` names the owner even after its own
 * range has left the tree.
 */
static struct indexed_interval *lowest_of_set(const struct interval_set *set, uintptr_t from,
					      uintptr_t end)
{
	const struct indexed_interval *found;

	if (!set->list || set->list->range.begin >= end)
		return NULL;
	if (set->list->range.end > from)
		return from < end ? set->list : NULL;
	while ((found = interval_index_lowest(from, end)) && found->owner != set->first.owner)
		from = found->range.end;
	return (struct indexed_interval *)found;
}

int interval_index_split(struct interval_set *set, uintptr_t at)
{
	struct indexed_interval *interval = lowest_of_set(set, at, at + 1);
	struct indexed_interval *rest;

	if (!interval || interval->range.begin == at)
		return 0;
	rest = malloc(sizeof(*rest));
	if (!rest)
		return -ENOMEM;
	*rest = (struct indexed_interval){
		{at, interval->range.end}, interval->owner, interval, interval->next};
	interval->range.end = at;
	if (!tsearch(rest, &tree, compare_ranges)) {
		interval->range.end = rest->range.end;
		free(rest);
		return -ENOMEM;
	}
	if (rest->next)
		rest->next->previous = rest;
	interval->next = rest;
	return 0;
}

void interval_index_remove(struct interval_set *set, const struct interval *range)
{
	struct indexed_interval *interval = lowest_of_set(set, range->begin, range->end);
	struct indexed_interval *next;

	for (; interval && interval->range.end <= range->end; interval = next) {
		next = interval->next;
		remove_interval(set, interval);
	}
}

bool interval_index_next_piece(const struct interval_set *set, uintptr_t from, uintptr_t end,
			       struct interval *piece)
{
	const struct indexed_interval *interval = lowest_of_set(set, from, end);
	uintptr_t behind;

	if (!interval)
		return false;
	piece->begin = interval->range.begin > from ? interval->range.begin : from;
	do {
		behind = interval->range.end;
		interval = interval->next;
	} while (interval && interval->range.begin == behind);
	piece->end = behind < end ? behind : end;
	return true;
}
