/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * interval_index.c - the mapped intervals of all mappings of this process, ordered by address
 *
 * Owns the search tree and the memory of each interval but the first of a mapping. Calls libc only.
 *
 * The tree is a treap: ordered by address from left to right, and by a pseudo-random priority from
 * the root down, which keeps it shallow without being balanced. The intervals are its nodes, so
 * that adding one allocates nothing and a search reads one cache line at each level.
 *
 * No two intervals in the tree overlap. An interval in the tree may shrink: the order stays the
 * same.
 */
#include "registry/interval_index.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

static struct indexed_interval *root;

const struct indexed_interval *interval_index_any(uintptr_t from, uintptr_t end)
{
	const struct indexed_interval *at = root;

	if (from >= end)
		return NULL;
	while (at && (end <= at->range.begin || at->range.end <= from))
		at = end <= at->range.begin ? at->left : at->right;
	return at;
}

/* Xorshift: any sequence serves that does not follow the addresses. */
static uint64_t next_priority(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* No interval in the tree overlaps it. */
static void tree_add(struct indexed_interval *added)
{
	uintptr_t begin = added->range.begin;
	struct indexed_interval **link = &root;
	struct indexed_interval **left = &added->left;
	struct indexed_interval **right = &added->right;
	struct indexed_interval *at;

	added->priority = next_priority();
	while (*link && (*link)->priority >= added->priority)
		link = begin < (*link)->range.begin ? &(*link)->left : &(*link)->right;
	at = *link;
	*link = added;
	/* What was below is divided into what lies left and right of it. */
	while (at) {
		if (begin < at->range.begin) {
			*right = at;
			right = &at->left;
			at = at->left;
		} else {
			*left = at;
			left = &at->right;
			at = at->right;
		}
	}
	*left = NULL;
	*right = NULL;
}

static void tree_remove(const struct indexed_interval *removed)
{
	uintptr_t begin = removed->range.begin;
	struct indexed_interval **link = &root;
	struct indexed_interval *left = removed->left;
	struct indexed_interval *right = removed->right;

	while (*link != removed)
		link = begin < (*link)->range.begin ? &(*link)->left : &(*link)->right;
	while (left && right) {
		if (left->priority >= right->priority) {
			*link = left;
			link = &left->right;
			left = left->right;
		} else {
			*link = right;
			link = &right->left;
			right = right->left;
		}
	}
	*link = left ? left : right;
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
	if (interval_index_any(range->begin, range->end))
		return -EEXIST;
	set->first = (struct indexed_interval){.range = *range, .owner = owner};
	tree_add(&set->first);
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
	tree_remove(interval);
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
		.range = {at, interval->range.end},
		.owner = interval->owner,
		.previous = interval,
		.next = interval->next,
	};
	interval->range.end = at;
	tree_add(rest);
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
