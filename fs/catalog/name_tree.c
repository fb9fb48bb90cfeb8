/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * name_tree.c - see name_tree.h
 *
 * A treap: each entry has a priority above those of its children. Priorities are hashes of
 * addresses, which nobody outside knows, so no choice of names makes the tree deep.
 */
#include "catalog/name_tree.h"
#include "base/hash.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static uint64_t priority_of(const struct name_entry *entry)
{
	const uint64_t words[] = {(uintptr_t)entry, (uintptr_t)entry};

	return hash_words(words, 2, 0);
}

/* Where the pointer to the entry is. */
static struct name_entry **place_of(struct name_tree *tree, struct name_entry *entry)
{
	struct name_entry *parent = entry->parent;

	return parent ? &parent->child[parent->child[1] == entry] : &tree->root;
}

/* The entry takes the place of its parent, which becomes its child. */
static void rotate_up(struct name_tree *tree, struct name_entry *entry)
{
	struct name_entry *parent = entry->parent;
	bool right = parent->child[1] == entry;
	struct name_entry *between = entry->child[!right];

	*place_of(tree, parent) = entry;
	entry->parent = parent->parent;
	parent->parent = entry;
	entry->child[!right] = parent;
	parent->child[right] = between;
	if (between)
		between->parent = parent;
}

struct name_entry *name_tree_find(const struct name_tree *tree, const char *name)
{
	struct name_entry *entry = tree->root;

	while (entry) {
		int order = strcmp(name, tree->name_of(entry));

		if (!order)
			break;
		entry = entry->child[order > 0];
	}
	return entry;
}

bool name_tree_add(struct name_tree *tree, struct name_entry *entry)
{
	struct name_entry **at = &tree->root, *parent = NULL;
	const char *name = tree->name_of(entry);
	uint64_t priority = priority_of(entry);

	while (*at) {
		int order = strcmp(name, tree->name_of(*at));

		if (!order)
			return false;
		parent = *at;
		at = &parent->child[order > 0];
	}
	*entry = (struct name_entry){.parent = parent};
	*at = entry;
	while (entry->parent && priority_of(entry->parent) < priority)
		rotate_up(tree, entry);
	return true;
}

void name_tree_remove(struct name_tree *tree, struct name_entry *entry)
{
	struct name_entry *left, *right, *only;

	while ((left = entry->child[0]) && (right = entry->child[1]))
		rotate_up(tree, priority_of(left) > priority_of(right) ? left : right);
	only = left ? left : entry->child[1];
	*place_of(tree, entry) = only;
	if (only)
		only->parent = entry->parent;
}

struct name_entry *name_tree_above(const struct name_tree *tree, const char *name)
{
	struct name_entry *entry = tree->root, *above = NULL;

	while (entry) {
		bool lesser = strcmp(tree->name_of(entry), name) <= 0;

		if (!lesser)
			above = entry;
		entry = entry->child[lesser];
	}
	return above;
}

struct name_entry *name_tree_next(const struct name_entry *entry)
{
	struct name_entry *next = entry->child[1];

	if (next) {
		while (next->child[0])
			next = next->child[0];
		return next;
	}
	while ((next = entry->parent) && next->child[1] == entry)
		entry = next;
	return next;
}
