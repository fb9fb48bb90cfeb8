/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * name_tree.h - entries in the order of the bytes of their names
 *
 * An entry is part of its owner's struct. While it is in a tree, its name stays the same, wherever
 * it is kept. Used by the request loop alone.
 */
#ifndef PMEM2FS_CATALOG_NAME_TREE_H
#define PMEM2FS_CATALOG_NAME_TREE_H

#include <stdbool.h>

struct name_entry {
	struct name_entry *parent, *child[2]; /* [0]: lesser names */
};

struct name_tree {
	const char *(*name_of)(const struct name_entry *entry); /* set by the owner */
	struct name_entry *root;                                /* NULL: it is empty */
};

struct name_entry *name_tree_find(const struct name_tree *tree, const char *name);

/* False: another entry has that name. */
bool name_tree_add(struct name_tree *tree, struct name_entry *entry);
void name_tree_remove(struct name_tree *tree, struct name_entry *entry);

/* The first entry with a name above this one; every name is above "". NULL: there is none. */
struct name_entry *name_tree_above(const struct name_tree *tree, const char *name);
struct name_entry *name_tree_next(const struct name_entry *entry);

#endif
