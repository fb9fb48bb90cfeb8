/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_nodes.c - node ids: assigned once, counted, used again
 */
#include "catalog/nodes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static int begin(void **state)
{
	*state = nodes_new();
	return !*state;
}

static int end(void **state)
{
	nodes_free(*state);
	return 0;
}

static void nothing_is_known(void **state)
{
	assert_null(nodes_find(*state, 0));
	assert_null(nodes_find(*state, 1));
	assert_null(nodes_find(*state, 2));
	assert_null(nodes_find(*state, UINT64_MAX));
	nodes_free(NULL);
}

static void one_id_for_many_lookups(void **state)
{
	struct node node = {.held = 1};
	uint64_t id;

	assert_int_equal(nodes_lookup(*state, &node), 0);
	id = node.id;
	assert_true(id > 1); /* the root's */
	assert_ptr_equal(nodes_find(*state, id), &node);
	assert_int_equal(nodes_lookup(*state, &node), 0);
	assert_int_equal(node.id, id);

	assert_false(nodes_forget(*state, &node, 1));
	assert_ptr_equal(nodes_find(*state, id), &node);
	assert_false(nodes_forget(*state, &node, 1)); /* still referenced */
	assert_null(nodes_find(*state, id));
	assert_int_equal(node.id, 0);
}

static void goes_with_the_last_of_both_sides(void **state)
{
	struct node node = {.held = 1};

	assert_int_equal(nodes_lookup(*state, &node), 0);
	node.held = 0;
	assert_true(nodes_forget(*state, &node, 1));
}

/* A kernel that forgets more references than it was given must not make the count wrap. */
static void forgets_no_more_than_was_told(void **state)
{
	struct node node = {.held = 1};
	uint64_t id;

	assert_int_equal(nodes_lookup(*state, &node), 0);
	id = node.id;
	assert_false(nodes_forget(*state, &node, UINT64_MAX));
	assert_true(node.lookups == 0);
	assert_null(nodes_find(*state, id));
	/* A node without an id has none to free. */
	assert_false(nodes_forget(*state, &node, 1));
	assert_int_equal(nodes_lookup(*state, &node), 0);
	assert_int_equal(node.id, id);
	nodes_forget(*state, &node, 1);
}

/* The kernel counts references in 64 bits. */
static void counts_as_far_as_the_kernel(void **state)
{
	struct node node = {0};

	assert_int_equal(nodes_lookup(*state, &node), 0);
	node.lookups = UINT32_MAX;
	assert_int_equal(nodes_lookup(*state, &node), 0);
	assert_false(nodes_forget(*state, &node, UINT32_MAX));
	assert_true(nodes_forget(*state, &node, 1));
}

static void ids_are_used_again_but_never_twice(void **state)
{
	enum { COUNT = 500 };
	struct node *nodes = calloc(COUNT, sizeof(*nodes));
	uint64_t most = 0;

	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(nodes_lookup(*state, &nodes[i]), 0);
		if (nodes[i].id > most)
			most = nodes[i].id;
	}
	for (int i = 0; i < COUNT; i += 3)
		assert_true(nodes_forget(*state, &nodes[i], 1));
	for (int i = 0; i < COUNT; i += 3)
		assert_int_equal(nodes_lookup(*state, &nodes[i]), 0);
	for (int i = 0; i < COUNT; i++) {
		assert_true(nodes[i].id <= most);
		assert_ptr_equal(nodes_find(*state, nodes[i].id), &nodes[i]);
	}
	assert_null(nodes_find(*state, most + 1));
	free(nodes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_known, begin, end),
		cmocka_unit_test_setup_teardown(one_id_for_many_lookups, begin, end),
		cmocka_unit_test_setup_teardown(goes_with_the_last_of_both_sides, begin, end),
		cmocka_unit_test_setup_teardown(forgets_no_more_than_was_told, begin, end),
		cmocka_unit_test_setup_teardown(counts_as_far_as_the_kernel, begin, end),
		cmocka_unit_test_setup_teardown(ids_are_used_again_but_never_twice, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
