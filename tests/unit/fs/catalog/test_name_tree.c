/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_name_tree.c - entries in the order of their names, while others come and go
 */
#include "base/container_of.h"
#include "catalog/name_tree.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 1000

struct named {
	struct name_entry entry;
	char name[8];
	bool in;
};

static struct named list[COUNT];

static const char *name_of(const struct name_entry *entry)
{
	return container_of((struct name_entry *)entry, struct named, entry)->name;
}

static void put_all(struct name_tree *tree)
{
	*tree = (struct name_tree){.name_of = name_of};
	for (unsigned i = 0; i < COUNT; i++) {
		struct named *named = &list[i * 7919 % COUNT];

		*named = (struct named){.in = true};
		snprintf(named->name, sizeof(named->name), "%04u", i * 7919 % COUNT);
		assert_true(name_tree_add(tree, &named->entry));
	}
}

/* All that are in, in order, by single steps and by names. */
static void check(const struct name_tree *tree)
{
	struct name_entry *entry = name_tree_above(tree, ""), *above = entry;

	for (unsigned i = 0; i < COUNT; i++) {
		assert_ptr_equal(name_tree_find(tree, list[i].name),
				 list[i].in ? &list[i].entry : NULL);
		assert_ptr_equal(entry, above);
		if (!list[i].in)
			continue;
		assert_ptr_equal(entry, &list[i].entry);
		above = name_tree_above(tree, list[i].name);
		entry = name_tree_next(entry);
	}
	assert_null(entry);
	assert_null(above);
}

static void is_in_order(void **state)
{
	struct name_tree tree;

	(void)state;
	put_all(&tree);
	check(&tree);
	for (unsigned i = 0; i < COUNT; i++) {
		struct named *named = &list[i * 577 % COUNT];

		named->in = false;
		name_tree_remove(&tree, &named->entry);
		if (i % 100 == 0)
			check(&tree);
	}
	assert_null(tree.root);
}

static void a_name_is_there_once(void **state)
{
	struct named again = {.name = "0500"};
	struct name_tree tree;

	(void)state;
	put_all(&tree);
	assert_false(name_tree_add(&tree, &again.entry));
	name_tree_remove(&tree, &list[500].entry);
	assert_true(name_tree_add(&tree, &again.entry));
	assert_ptr_equal(name_tree_find(&tree, "0500"), &again.entry);
}

static unsigned depth_of(const struct name_entry *entry)
{
	unsigned left, right;

	if (!entry)
		return 0;
	left = depth_of(entry->child[0]);
	right = depth_of(entry->child[1]);
	return 1 + (left > right ? left : right);
}

/* Also when names come in order. A tree of 1000 random entries is that deep with p < 1e-9. */
static void is_not_deep(void **state)
{
	struct name_tree tree;

	(void)state;
	put_all(&tree);
	assert_true(depth_of(tree.root) < 60);
	for (unsigned i = 0; i < COUNT; i++)
		name_tree_remove(&tree, &list[i].entry);
	for (unsigned i = 0; i < COUNT; i++)
		assert_true(name_tree_add(&tree, &list[i].entry));
	assert_true(depth_of(tree.root) < 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_in_order),
		cmocka_unit_test(a_name_is_there_once),
		cmocka_unit_test(is_not_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
