/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_parts.c - mappings of which a part is left
 */
#include "base/shared_text.h"
#include "shown_mapping.h"
#include <string.h>

static void learn_part(struct catalog *catalog, struct mapping *mapping, struct extents *extents)
{
	struct facts facts = {.owner = process_info_get(&owner), .extents = extents};

	catalog_learn(catalog, mapping, &facts, 1);
}

/* Checks which of the two pages are mapped according to the document; count 2 is the whole. */
static void expect_parts(struct catalog *catalog, const struct mapping *mapping, size_t count,
			 uint64_t begin, uint64_t end)
{
	const struct extents *extents = mapping_version(mapping)->extents;
	size_t length;
	const char *text = version_document(catalog, mapping_version(mapping), &length);

	if (count == 2) {
		assert_null(extents);
		assert_non_null(strstr(text, "\"state\": \"active\""));
		assert_null(strstr(text, "extents"));
		return;
	}
	assert_non_null(extents);
	assert_int_equal(extents->count, count);
	assert_non_null(strstr(text, "\"state\": \"partial\",\n  \"extents\": ["));
	if (count) {
		assert_int_equal(extents->list[0].offset, begin);
		assert_int_equal(extents->list[0].length, end - begin);
	}
}

static void what_is_left_counts(void **state)
{
	struct catalog *catalog = *state;
	struct mapping *mapping = add(catalog, "a", 0, &record), *reserved;
	struct pmem2fs_record other = record;

	other.source_inode++;
	add(catalog, "b", 1, &other);
	expect_parts(catalog, mapping, 2, 0, 0);
	learn_part(catalog, mapping, part(4096, 8192));
	expect_parts(catalog, mapping, 1, 4096, 8192);
	assert_int_equal(version_mapped(mapping_version(mapping)), 4096);
	assert_int_equal(mapped_bytes(catalog), 8192 + 4096);
	assert_int_equal(catalog_totals(catalog).entries, 2);
	assert_int_equal(catalog_reserve(catalog, "c", record.uid, &reserved), 0);
	assert_int_equal(catalog_rename(catalog, mapping, reserved), 0);
	expect_parts(catalog, mapping, 1, 4096, 8192);
	assert_int_equal(mapped_bytes(catalog), 8192 + 4096);
	learn_part(catalog, mapping, part(0, 0));
	expect_parts(catalog, mapping, 0, 0, 0);
	assert_int_equal(mapped_bytes(catalog), 8192);
	catalog_remove(catalog, mapping);
	assert_int_equal(mapped_bytes(catalog), 8192);
	assert_int_equal(catalog_totals(catalog).entries, 1);
}

/* The last page of a mapping of an odd length counts with the bytes that are in it. */
static void the_last_page_counts_up_to_the_length(void **state)
{
	struct catalog *catalog = *state;
	struct pmem2fs_record odd = record;
	struct mapping *mapping;

	odd.length = 5000;
	mapping = add(catalog, "a", 0, &odd);
	learn_part(catalog, mapping, part(4096, 8192));
	assert_int_equal(version_mapped(mapping_version(mapping)), 904);
	assert_int_equal(catalog_cut(catalog, mapping, 4096, 8192), 0);
	expect_parts(catalog, mapping, 0, 0, 0);
	assert_int_equal(mapped_bytes(catalog), 0);
}

/*
 * A part that the daemon has unmapped stays unmapped, whatever is at its addresses: here another
 * mapping of the source.
 */
static void a_cut_part_never_comes_back(void **state)
{
	struct catalog *catalog = *state;
	struct mapping *mapping = add(catalog, "a", 0, &record);

	learn_part(catalog, mapping, NULL);
	assert_int_equal(mapping_checked(mapping), 1);
	assert_int_equal(catalog_cut(catalog, mapping, 0, 4096), 0);
	assert_int_equal(mapping_checked(mapping), 0); /* to be checked again */
	expect_parts(catalog, mapping, 1, 4096, 8192);
	assert_int_equal(mapped_bytes(catalog), 4096);
	learn_part(catalog, mapping, NULL);
	expect_parts(catalog, mapping, 1, 4096, 8192);
	assert_int_equal(catalog_cut(catalog, mapping, 0, 4096), 0);
	expect_parts(catalog, mapping, 1, 4096, 8192);
	assert_int_equal(catalog_cut(catalog, mapping, 0, 8192), 0);
	learn_part(catalog, mapping, part(0, 4096));
	expect_parts(catalog, mapping, 0, 0, 0);
	assert_int_equal(mapped_bytes(catalog), 0);
}

/* A part that a check found unmapped is not cut: the next check may find it mapped. */
static void a_look_is_no_cut(void **state)
{
	struct catalog *catalog = *state;
	struct mapping *mapping = add(catalog, "a", 0, &record);

	learn_part(catalog, mapping, part(0, 4096));
	expect_parts(catalog, mapping, 1, 0, 4096);
	learn_part(catalog, mapping, NULL);
	expect_parts(catalog, mapping, 2, 0, 0);
}

/* While a part is being unmapped, the document stays as it was. */
static void a_change_under_way_does_not_show(void **state)
{
	struct catalog *catalog = *state;
	struct mapping *mapping = add(catalog, "a", 0, &record);

	mapping_set_changing(mapping, true);
	learn_part(catalog, mapping, part(0, 0));
	expect_parts(catalog, mapping, 2, 0, 0);
	mapping_set_changing(mapping, false);
	learn_part(catalog, mapping, part(0, 4096));
	mapping_set_changing(mapping, true);
	learn_part(catalog, mapping, part(0, 0));
	expect_parts(catalog, mapping, 1, 0, 4096);
	learn_part(catalog, mapping, NULL);
	expect_parts(catalog, mapping, 1, 0, 4096);
}

/*
 * When nothing of the file is mapped, nothing keeps it either: at its path, even with its inode
 * number, may be another one.
 */
static void no_path_is_kept(void **state)
{
	struct catalog *catalog = *state;
	struct mapping *mapping = add(catalog, "a", 0, &record);
	struct facts facts = {.path = shared_text_new("/x")};

	catalog_learn(catalog, mapping, &facts, 1);
	assert_string_equal(mapping_version(mapping)->path, "/x");
	learn_part(catalog, mapping, part(0, 0));
	assert_null(mapping_version(mapping)->path);
	assert_false(mapping_version(mapping)->pending);
	/* What the kernel shows there now is a newer mapping. */
	assert_int_equal(catalog_cut(catalog, mapping, 0, 10000), 0);
	facts = (struct facts){.path = shared_text_new("/x"), .size_known = true, .size = 4096};
	catalog_learn(catalog, mapping, &facts, 1);
	assert_null(mapping_version(mapping)->path);
	assert_false(mapping_version(mapping)->size_known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_left_counts, begin, end),
		cmocka_unit_test_setup_teardown(the_last_page_counts_up_to_the_length, begin, end),
		cmocka_unit_test_setup_teardown(a_cut_part_never_comes_back, begin, end),
		cmocka_unit_test_setup_teardown(a_look_is_no_cut, begin, end),
		cmocka_unit_test_setup_teardown(a_change_under_way_does_not_show, begin, end),
		cmocka_unit_test_setup_teardown(no_path_is_kept, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
