/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_source_ranges.c - bytes that are mapped several times count once
 */
#include "catalog_helper.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MiB (1ull << 20)

static uint64_t bytes_of(const struct source_range *list, size_t count)
{
	struct source_ranges ranges = {0};
	uint64_t bytes;

	for (size_t i = 0; i < count; i++)
		assert_int_equal(source_ranges_add(&ranges, &list[i]), 0);
	bytes = source_ranges_bytes(&ranges);
	assert_true(source_ranges_bytes(&ranges) == bytes); /* the list is sorted now */
	free(ranges.list);
	return bytes;
}

#define BYTES(...)                                                                                 \
	bytes_of((const struct source_range[]){__VA_ARGS__},                                       \
		 sizeof((const struct source_range[]){__VA_ARGS__}) / sizeof(struct source_range))

static void the_union_counts(void **state)
{
	(void)state;
	assert_int_equal(bytes_of(NULL, 0), 0);
	assert_int_equal(BYTES({1, 2, 10, 30}), 20);
	assert_int_equal(BYTES({1, 2, 10, 30}, {1, 2, 10, 30}, {1, 2, 10, 30}), 20);
	assert_int_equal(BYTES({1, 2, 20, 40}, {1, 2, 10, 30}), 30);
	assert_int_equal(BYTES({1, 2, 10, 40}, {1, 2, 20, 30}, {1, 2, 35, 38}), 30);
	assert_int_equal(BYTES({1, 2, 30, 40}, {1, 2, 10, 20}, {1, 2, 20, 30}), 30); /* adjacent */
	assert_int_equal(BYTES({1, 2, 30, 40}, {1, 2, 10, 20}), 20);
	assert_int_equal(BYTES({1, 2, 10, 10}, {1, 2, 0, 0}), 0);
	assert_int_equal(BYTES({1, 2, 10, 20}, {1, 2, 15, 15}, {1, 2, 12, 20}), 10);
}

static void sources_are_apart(void **state)
{
	(void)state;
	assert_int_equal(BYTES({1, 2, 0, 10}, {1, 3, 0, 10}, {2, 2, 0, 10}), 30);
	assert_int_equal(BYTES({1, 0, 0, 10}, {1, 2, 0, 10}, {1, 0, 5, 15}), 25);
	assert_int_equal(BYTES({1, 2, 0, 10}, {2, 2, 5, 10}, {1, 2, 5, 20}), 25);
	/* The range of the next source begins at a lower offset than the range before it ends. */
	assert_int_equal(BYTES({1, 2, 0, 1000}, {1, 3, 10, 20}), 1010);
}

static void up_to_the_highest_number(void **state)
{
	(void)state;
	assert_true(BYTES({1, 2, UINT64_MAX - 10, UINT64_MAX}) == 10);
	assert_true(BYTES({1, 2, 0, UINT64_MAX}, {1, 2, 5, UINT64_MAX}) == UINT64_MAX);
	assert_true(BYTES({1, 2, 0, UINT64_MAX}, {1, 3, 0, 5}) == UINT64_MAX);
	assert_true(BYTES({1, 2, 0, UINT64_MAX - 3}, {1, 3, 0, 2}) == UINT64_MAX - 1);
}

enum { SOURCES = 3, PLACES = 5000, RANGES = 4000 };

static void as_counted_one_by_one(void **state)
{
	static struct source_range list[RANGES];
	static bool mapped[SOURCES][PLACES];

	(void)state;
	srand(1);
	for (size_t longest = 1; longest < PLACES; longest *= 4) {
		uint64_t expected = 0;

		memset(mapped, 0, sizeof(mapped));
		for (size_t i = 0; i < RANGES; i++) {
			size_t source = (size_t)rand() % SOURCES;
			size_t begin = (size_t)rand() % PLACES;
			size_t end = begin + (size_t)rand() % longest;

			if (end > PLACES)
				end = PLACES;
			list[i] = (struct source_range){
				.dev = source / 2, .inode = source % 2, .begin = begin, .end = end};
			for (size_t place = begin; place < end; place++)
				mapped[source][place] = true;
		}
		for (size_t source = 0; source < SOURCES; source++)
			for (size_t place = 0; place < PLACES; place++)
				expected += mapped[source][place];
		assert_true(bytes_of(list, RANGES) == expected);
	}
}

static struct mapping *add(struct catalog *catalog, const struct pmem2fs_record *record)
{
	static unsigned number;
	struct mapping *mapping = NULL;
	char name[16];

	snprintf(name, sizeof(name), "%u", number++);
	assert_int_equal(catalog_reserve(catalog, name, 0, &mapping), 0);
	assert_int_equal(catalog_show(catalog, mapping, 0, record, NULL, &owner), 0);
	return mapping;
}

static void learn(struct catalog *catalog, struct mapping *mapping, struct extents *extents,
		  bool lost)
{
	struct facts facts = {.owner = process_info_get(&owner), .extents = extents, .lost = lost};

	catalog_learn(catalog, mapping, &facts, 1);
}

static const struct pmem2fs_record whole_node = {
	.address = 0x10000,
	.length = 446 * MiB,
	.source_type = PMEM2FS_SOURCE_DEVDAX,
	.source_dev = 5,
	.source_rdev = 77,
	.source_inode = 9,
};

static void a_node_that_is_mapped_by_three(void **state)
{
	struct catalog *catalog = catalog_new(0);
	struct pmem2fs_record node = whole_node, part = whole_node;

	(void)state;
	add(catalog, &whole_node);
	node.source_inode = 10; /* another name of the same node */
	node.source_dev = 6;
	add(catalog, &node);
	part.offset = 400 * MiB;
	part.length = 46 * MiB;
	add(catalog, &part);
	assert_true(mapped_bytes(catalog) == 446 * MiB);
	node.source_rdev = 78; /* another node */
	node.length = MiB;
	add(catalog, &node);
	assert_true(mapped_bytes(catalog) == 447 * MiB);
	catalog_free(catalog);
}

static void what_counts(void **state)
{
	struct catalog *catalog = catalog_new(0);
	struct pmem2fs_record file = whole_node;
	struct extents *extents = extents_new();
	struct mapping *mapping;

	(void)state;
	file.source_type = PMEM2FS_SOURCE_FILE;
	add(catalog, &file);
	file.source_type = PMEM2FS_SOURCE_ANONYMOUS;
	add(catalog, &file);
	assert_int_equal(mapped_bytes(catalog), 0);
	file.source_type = PMEM2FS_SOURCE_FSDAX;
	file.sharing = PMEM2_PRIVATE;
	file.offset = MiB;
	file.length = MiB + 100; /* the last page ends beyond the mapping */
	mapping = add(catalog, &file);
	assert_int_equal(mapped_bytes(catalog), MiB + 100);
	assert_int_equal(extents_append(&extents, 4096, 8192), 0);
	assert_int_equal(extents_append(&extents, MiB, MiB + 4096), 0);
	learn(catalog, mapping, extents, false);
	assert_int_equal(mapped_bytes(catalog), 4096 + 100);
	learn(catalog, mapping, NULL, true);
	assert_int_equal(mapped_bytes(catalog), 0);
	learn(catalog, mapping, extents_new(), false);
	assert_int_equal(mapped_bytes(catalog), 0);
	file.offset = UINT64_MAX - 4096; /* a process may claim such numbers */
	add(catalog, &file);
	assert_int_equal(mapped_bytes(catalog), 4096);
	catalog_free(catalog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_union_counts),
		cmocka_unit_test(sources_are_apart),
		cmocka_unit_test(up_to_the_highest_number),
		cmocka_unit_test(as_counted_one_by_one),
		cmocka_unit_test(a_node_that_is_mapped_by_three),
		cmocka_unit_test(what_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
