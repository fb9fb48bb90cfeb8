/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_catalog.c - names, numbers and versions
 */
#include "base/shared_text.h"
#include "catalog/snapshot.h"
#include "shown_mapping.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void a_reserved_name_is_taken_and_not_seen(void **state)
{
	struct catalog *catalog = *state;
	struct mapping *mapping = NULL, *other = (struct mapping *)catalog;
	size_t place;

	assert_int_equal(catalog_reserve(catalog, "a", 7, &mapping), 0);
	assert_string_equal(mapping_name(mapping), "a");
	assert_null(catalog_find(catalog, "a"));
	assert_null(catalog_after(catalog, 0, &place));
	assert_int_equal(catalog_reserve(catalog, "a", 8, &other), -EEXIST);
	assert_ptr_equal(other, catalog);
	assert_int_equal(catalog_totals(catalog).reserved, 1);
	assert_int_equal(catalog_totals(catalog).entries, 0);
	assert_int_equal(catalog_count_of(catalog, 7), 1);
	assert_int_equal(catalog_count_of(catalog, 8), 0);

	catalog_remove(catalog, mapping);
	assert_int_equal(catalog_totals(catalog).reserved, 0);
	assert_int_equal(catalog_count_of(catalog, 7), 0);
	assert_int_equal(catalog_reserve(catalog, "a", 7, &mapping), 0);
	catalog_remove(catalog, mapping);
}

static void shows_what_the_record_says(void **state)
{
	struct catalog *catalog = *state;
	struct mapping *mapping = add(catalog, "log", 7, &record), *other;
	struct pmem2fs_record back;

	assert_ptr_equal(catalog_find(catalog, "log"), mapping);
	assert_null(catalog_find(catalog, "lo"));
	assert_null(catalog_find(catalog, ""));
	assert_ptr_equal(catalog_find_number(catalog, mapping_number(mapping)), mapping);
	assert_null(catalog_find_number(catalog, mapping_number(mapping) + 1));
	assert_null(catalog_find_number(catalog, 0));
	assert_true(mapping_number(mapping) >= CATALOG_FIRST);
	assert_int_equal(mapping_slot(mapping), 7);
	assert_int_equal(mapping_checked(mapping), 0);
	assert_int_equal(catalog_reserve(catalog, "log", 8, &other), -EEXIST);
	version_record(mapping_version(mapping), &back);
	assert_memory_equal(&back, &record, sizeof(record));
}

/* Each worker begins above its own base. */
static void numbers_begin_above_the_base(void **state)
{
	struct catalog *catalog = catalog_new(1ull << 40);

	(void)state;
	assert_true(mapping_number(add(catalog, "a", 0, &record)) > 1ull << 40);
	catalog_free(catalog);
}

static void numbers_only_grow(void **state)
{
	struct catalog *catalog = *state;
	uint64_t last = 0;

	for (int i = 0; i < 300; i++) {
		struct mapping *mapping = add(catalog, "again", 0, &record);

		assert_true(mapping_number(mapping) > last);
		last = mapping_number(mapping);
		catalog_remove(catalog, mapping);
		assert_null(catalog_find_number(catalog, last));
	}
}

/* Removes mappings between two steps, so that each way of closing the holes happens. */
static void walks_in_order_of_numbers(void **state)
{
	enum { COUNT = 1000 };
	struct catalog *catalog = *state;
	struct mapping *mapping;
	uint64_t number = 0;
	unsigned left = 0;
	char name[16];
	size_t place;

	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "m%d", i * 7919 % COUNT);
		add(catalog, name, 0, &record);
	}
	for (int i = 0; (mapping = catalog_after(catalog, number, &place)); i++) {
		assert_true(mapping_number(mapping) > number);
		number = mapping_number(mapping);
		if (i % 4)
			catalog_remove(catalog, mapping);
	}
	number = 0;
	mapping = catalog_after(catalog, number, &place);
	for (; mapping; mapping = catalog_next(catalog, &place)) {
		assert_true(mapping_number(mapping) > number);
		number = mapping_number(mapping);
		assert_ptr_equal(catalog_find(catalog, mapping_name(mapping)), mapping);
		assert_ptr_equal(catalog_find_number(catalog, number), mapping);
		left++;
	}
	assert_int_equal(left, COUNT / 4);
	assert_int_equal(catalog_totals(catalog).entries, left);
	assert_null(catalog_after(catalog, UINT64_MAX, &place));
	assert_null(catalog_next(catalog, &place));
}

static struct version **take(struct catalog *catalog, struct snapshot *snapshot)
{
	assert_int_equal(snapshot_begin(snapshot, catalog), 0);
	assert_int_equal(snapshot_work(snapshot, catalog, 0), 0);
	return snapshot->versions;
}

/* Versions that are held do not change when their mappings change or go. */
static void gives_the_versions_of_one_moment(void **state)
{
	static const char *const names[] = {"a", "a\xff", "b", "c"};
	struct catalog *catalog = *state;
	struct mapping *b = add(catalog, "b", 0, &record), *reserved;
	struct facts facts = {.path = shared_text_new("/new")};
	struct snapshot snapshot = {0};
	struct version **versions;

	add(catalog, "a\xff", 1, &record);
	add(catalog, "c", 2, &record);
	add(catalog, "a", 3, &record);
	assert_int_equal(catalog_reserve(catalog, "aa", 0, &reserved), 0);
	versions = take(catalog, &snapshot);
	assert_int_equal(snapshot.count, 4);
	assert_int_equal(catalog_removed(catalog), 0);
	catalog_learn(catalog, b, &facts, 1);
	assert_string_equal(mapping_version(b)->path, "/new");
	catalog_remove(catalog, b);
	catalog_remove(catalog, reserved);
	catalog_remove(catalog, catalog_find(catalog, "c"));
	assert_int_equal(catalog_removed(catalog), 2);
	for (size_t i = 0; i < snapshot.count; i++) {
		assert_string_equal(versions[i]->text, names[i]);
		assert_null(versions[i]->path);
		version_release(catalog, versions[i]);
	}
	snapshot_clear(&snapshot, catalog);
	versions = take(catalog, &snapshot);
	assert_int_equal(snapshot.count, 2);
	/* The kernel looks a version up and forgets it before it is released. */
	assert_int_equal(nodes_lookup(catalog_nodes(catalog), &versions[0]->node), 0);
	catalog_remove(catalog, catalog_find(catalog, "a"));
	assert_false(nodes_forget(catalog_nodes(catalog), &versions[0]->node, 1));
	version_release(catalog, versions[0]);
	assert_int_equal(nodes_lookup(catalog_nodes(catalog), &versions[1]->node), 0);
	catalog_remove(catalog, catalog_find(catalog, "a\xff"));
	version_release(catalog, versions[1]);
	assert_true(nodes_forget(catalog_nodes(catalog), &versions[1]->node, 1));
	version_free(catalog, versions[1]);
	snapshot_clear(&snapshot, catalog);
}

static void counts_entries_bytes_and_users(void **state)
{
	struct catalog *catalog = *state;
	struct pmem2fs_record plain = record;
	struct mapping *a, *b, *c;

	plain.source_type = PMEM2FS_SOURCE_FILE;
	plain.uid = 0;
	plain.length = 100;
	a = add(catalog, "a", 0, &record);
	b = add(catalog, "b", 1, &plain);
	c = add(catalog, "c", 2, &record);
	assert_int_equal(catalog_totals(catalog).entries, 3);
	assert_int_equal(mapped_bytes(catalog), 8192); /* a and c map the same bytes */
	assert_int_equal(catalog_count_of(catalog, 1000), 2);
	assert_int_equal(catalog_count_of(catalog, 0), 1);
	assert_int_equal(catalog_count_of(catalog, 1), 0);
	catalog_remove(catalog, b);
	assert_int_equal(catalog_count_of(catalog, 0), 0);
	catalog_remove(catalog, a);
	assert_int_equal(catalog_count_of(catalog, 1000), 1);
	catalog_remove(catalog, c);
	assert_int_equal(catalog_totals(catalog).entries, 0);
	assert_int_equal(mapped_bytes(catalog), 0);
	assert_int_equal(catalog_count_of(catalog, 1000), 0);
}

static void renames_keep_number_and_facts(void **state)
{
	struct catalog *catalog = *state;
	struct mapping *mapping = add(catalog, "old", 3, &record), *reserved;
	struct facts facts = {
		.path = shared_text_new("/x"),
		.size = 1,
		.size_known = true,
		.badblocks = calloc(1, sizeof(*facts.badblocks)),
		.badblock_count = 1,
		.badblocks_known = true,
	};
	uint64_t number = mapping_number(mapping);

	catalog_learn(catalog, mapping, &facts, 55);
	assert_int_equal(catalog_reserve(catalog, "new", record.uid, &reserved), 0);
	assert_int_equal(catalog_rename(catalog, mapping, reserved), 0);
	assert_null(catalog_find(catalog, "old"));
	assert_ptr_equal(catalog_find(catalog, "new"), mapping);
	assert_int_equal(mapping_number(mapping), number);
	assert_int_equal(mapping_slot(mapping), 3);
	assert_int_equal(mapping_checked(mapping), 55);
	assert_string_equal(mapping_version(mapping)->path, "/x");
	assert_int_equal(mapping_version(mapping)->badblock_count, 1);
	assert_int_equal(catalog_totals(catalog).reserved, 0);
	assert_int_equal(catalog_totals(catalog).entries, 1);
	assert_int_equal(catalog_count_of(catalog, record.uid), 1);
	add(catalog, "old", 4, &record);
	catalog_remove(catalog, mapping);
	assert_null(catalog_find(catalog, "new"));
	assert_non_null(catalog_find(catalog, "old"));
}

/* Whether the document of the mapping says that facts are still being found. */
static bool is_pending(struct catalog *catalog, const struct mapping *mapping)
{
	size_t length;

	return strstr(version_document(catalog, mapping_version(mapping), &length),
		      "\n  \"pending\": true,\n");
}

static void says_that_facts_are_pending(void **state)
{
	struct catalog *catalog = *state;
	struct mapping *mapping = add(catalog, "x", 0, &record), *foreign, *reserved;
	const struct scan_state scan_state = {.process = (struct process *)state};
	struct facts facts = {.path = shared_text_new("/x"), .owner = process_info_get(&owner)};
	struct facts known = {.owner = process_info_get(&owner)};
	struct extents *extents = NULL;
	const struct version *version;

	assert_true(is_pending(catalog, mapping));
	catalog_learn(catalog, mapping, &facts, 5);
	assert_false(is_pending(catalog, mapping));
	catalog_set_pending(catalog, mapping);
	assert_true(is_pending(catalog, mapping));
	version = mapping_version(mapping);
	assert_string_equal(version->path, "/x");
	catalog_set_pending(catalog, mapping);
	assert_ptr_equal(mapping_version(mapping), version);
	assert_int_equal(catalog_reserve(catalog, "y", record.uid, &reserved), 0);
	assert_int_equal(catalog_rename(catalog, mapping, reserved), 0);
	assert_true(is_pending(catalog, mapping));
	facts = (struct facts){.path = shared_text_new("/x"), .owner = process_info_get(&owner)};
	catalog_learn(catalog, mapping, &facts, 6);
	assert_false(is_pending(catalog, mapping));
	assert_int_equal(catalog_cut(catalog, mapping, 0, 4096), 0);
	assert_true(is_pending(catalog, mapping));

	assert_int_equal(catalog_show_scanned(catalog, "f", ORIGIN_OBSERVED, &record, &extents,
					      &scan_state, &owner, &foreign),
			 0);
	assert_true(is_pending(catalog, foreign));
	catalog_learn(catalog, foreign, &known, 5);
	assert_false(is_pending(catalog, foreign));
	extents = part(0, 4096);
	assert_int_equal(catalog_update_scanned(catalog, foreign, &record, &extents), 0);
	assert_true(is_pending(catalog, foreign));
}

static void same_facts_make_no_new_version(void **state)
{
	struct catalog *catalog = *state;
	struct mapping *mapping = add(catalog, "a", 0, &record);
	struct version *version;
	struct facts facts = {.path = shared_text_new("/x"), .size = 10000, .size_known = true};

	version = mapping_version(mapping);
	catalog_learn(catalog, mapping, &facts, 10);
	assert_null(facts.path); /* owned by the catalog now */
	assert_ptr_not_equal(mapping_version(mapping), version);
	version = mapping_version(mapping);
	facts = (struct facts){.path = shared_text_new("/x"), .size = 10000, .size_known = true};
	catalog_learn(catalog, mapping, &facts, 20);
	assert_ptr_equal(mapping_version(mapping), version);
	assert_int_equal(mapping_checked(mapping), 20);
}

/* A change of any fact in the document makes a new version. */
static void each_fact_makes_a_new_version(void **state)
{
	struct catalog *catalog = *state;
	struct mapping *mapping = add(catalog, "a", 0, &record);
	struct process_info other = {.references = 1, .is = {.pid = 2}};
	struct device device = {.references = 1};

	for (int i = 0; i < 13; i++) {
		struct facts facts = {.path = i > 0 ? shared_text_new(i > 1 ? "/y" : "/x") : NULL};
		uint64_t node_number = mapping_number(mapping);
		char *before, *after;
		size_t length;

		facts.size_known = true;
		facts.size = i > 2 ? 2 : 1;
		facts.deleted = i > 3;
		facts.owner = process_info_get(i > 4 ? &other : &owner);
		facts.device = i > 5 ? device_get(&device) : NULL;
		facts.badblocks_known = i > 6;
		if (i > 7) {
			facts.badblocks = calloc(1, sizeof(*facts.badblocks));
			facts.badblock_count = 1;
			facts.badblocks[0].offset = i > 8 ? 4096 : 0;
			facts.badblocks[0].length = 4096;
			facts.device_badblocks = 1;
		}
		if (i > 9)
			facts.extents = part(i > 10 ? 4096 : 0, 8192);
		facts.lost = i > 11;
		before = strdup(version_document(catalog, mapping_version(mapping), &length));
		catalog_learn(catalog, mapping, &facts, 1);
		assert_int_equal(mapping_version(mapping)->number, node_number);
		after = strdup(version_document(catalog, mapping_version(mapping), &length));
		assert_string_not_equal(before, after);
		free(before);
		free(after);
	}
	catalog_remove(catalog, mapping);
	assert_int_equal(other.references, 1);
	assert_int_equal(device.references, 1);
}

static bool learn_health(struct catalog *catalog, struct mapping *mapping, bool lost,
			 struct extents *extents, bool known, uint64_t bad)
{
	struct facts facts = {.owner = process_info_get(&owner),
			      .lost = lost,
			      .extents = extents,
			      .badblocks_known = known};

	if (bad) {
		facts.badblocks = calloc(1, sizeof(*facts.badblocks));
		facts.badblocks->offset = bad;
		facts.badblocks->length = 4096;
		facts.badblock_count = 1;
	}
	return catalog_learn(catalog, mapping, &facts, 1);
}

/* A mapping of which only a part was left can be lost as well. */
static void says_when_state_or_bad_blocks_change(void **state)
{
	struct catalog *catalog = *state;
	struct mapping *mapping = add(catalog, "a", 0, &record);
	struct facts facts = {.path = shared_text_new("/x"), .size = 1, .size_known = true};
	size_t length;

	assert_false(catalog_learn(catalog, mapping, &facts, 1));
	assert_string_equal(version_state(mapping_version(mapping)), "active");
	assert_false(
		learn_health(catalog, mapping, false, NULL, true, 0)); /* no bad blocks are known */
	assert_true(learn_health(catalog, mapping, false, NULL, true, 4096));
	assert_false(learn_health(catalog, mapping, false, NULL, true, 4096));
	assert_true(learn_health(catalog, mapping, false, NULL, true, 8192));
	assert_true(learn_health(catalog, mapping, false, part(0, 4096), true, 8192));
	assert_string_equal(version_state(mapping_version(mapping)), "partial");
	assert_true(learn_health(catalog, mapping, true, part(0, 4096), false, 0));
	assert_string_equal(version_state(mapping_version(mapping)), "lost");
	assert_non_null(strstr(version_document(catalog, mapping_version(mapping), &length),
			       "\"extents\""));
	assert_false(learn_health(catalog, mapping, true, NULL, false, 0));
	assert_string_equal(version_state(mapping_version(mapping)), "lost");
	assert_true(learn_health(catalog, mapping, false, NULL, false, 0));
	assert_string_equal(version_state(mapping_version(mapping)), "active");
}

/* A descriptor of an old version reads the same bytes, also after the removal. */
static void a_version_stays_while_the_kernel_knows_it(void **state)
{
	struct catalog *catalog = *state;
	struct nodes *nodes = catalog_nodes(catalog);
	struct mapping *mapping = add(catalog, "a", 0, &record);
	struct version *old = mapping_version(mapping);
	struct facts facts = {.path = shared_text_new("/x"), .owner = process_info_get(&owner)};
	char *before;
	size_t length;

	assert_int_equal(nodes_lookup(nodes, &old->node), 0);
	before = strdup(version_document(catalog, old, &length));
	catalog_learn(catalog, mapping, &facts, 1);
	assert_ptr_not_equal(mapping_version(mapping), old);
	version_document(catalog, mapping_version(mapping), &length);
	assert_string_equal(version_document(catalog, old, &length), before);
	assert_int_equal(version_document_size(catalog, old), strlen(before));
	catalog_remove(catalog, mapping);
	assert_ptr_equal(nodes_find(nodes, old->node.id), &old->node);
	assert_string_equal(version_document(catalog, old, &length), before);
	assert_true(nodes_forget(nodes, &old->node, 1));
	version_free(catalog, old);
	free(before);
}

static void any_bytes_are_a_name(void **state)
{
	struct catalog *catalog = *state;
	char longest[NAME_LENGTH_MAX + 1];
	const char *all[] = {"\xff\xfe", "a\nb", " ", "-rf", "\\x41", longest};

	memset(longest, 'n', NAME_LENGTH_MAX);
	longest[NAME_LENGTH_MAX] = '\0';
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		add(catalog, all[i], 0, &record);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		assert_string_equal(mapping_name(catalog_find(catalog, all[i])), all[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_reserved_name_is_taken_and_not_seen, begin, end),
		cmocka_unit_test_setup_teardown(shows_what_the_record_says, begin, end),
		cmocka_unit_test(numbers_begin_above_the_base),
		cmocka_unit_test_setup_teardown(numbers_only_grow, begin, end),
		cmocka_unit_test_setup_teardown(walks_in_order_of_numbers, begin, end),
		cmocka_unit_test_setup_teardown(gives_the_versions_of_one_moment, begin, end),
		cmocka_unit_test_setup_teardown(counts_entries_bytes_and_users, begin, end),
		cmocka_unit_test_setup_teardown(renames_keep_number_and_facts, begin, end),
		cmocka_unit_test_setup_teardown(says_that_facts_are_pending, begin, end),
		cmocka_unit_test_setup_teardown(same_facts_make_no_new_version, begin, end),
		cmocka_unit_test_setup_teardown(each_fact_makes_a_new_version, begin, end),
		cmocka_unit_test_setup_teardown(says_when_state_or_bad_blocks_change, begin, end),
		cmocka_unit_test_setup_teardown(a_version_stays_while_the_kernel_knows_it, begin,
						end),
		cmocka_unit_test_setup_teardown(any_bytes_are_a_name, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
