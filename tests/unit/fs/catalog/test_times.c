/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_times.c - the time of a document is that of its last change
 */
#include "base/clock.h"
#include "base/shared_text.h"
#include "catalog_helper.h"
#include <string.h>

#define HOUR (3600 * CLOCK_SECOND)

static struct pmem2fs_record record_of(uint64_t created)
{
	return (struct pmem2fs_record){
		.address = 0x10000,
		.length = 8192,
		.source_size = 10000,
		.source_dev = 77,
		.alignment = 4096,
		.source_type = PMEM2FS_SOURCE_FSDAX,
		.created = created,
	};
}

static struct mapping *add(struct catalog *catalog, const char *name, uint64_t created)
{
	struct pmem2fs_record record = record_of(created);
	struct mapping *mapping = NULL;

	assert_int_equal(catalog_reserve(catalog, name, 0, &mapping), 0);
	assert_int_equal(catalog_show(catalog, mapping, 0, &record, "/x", &owner), 0);
	return mapping;
}

static struct mapping *add_scanned(struct catalog *catalog, const char *name, enum origin origin,
				   uint64_t created)
{
	/* The process is never accessed. */
	struct scan_state state = {.process = (struct process *)catalog};
	struct pmem2fs_record record = record_of(created);
	struct extents *extents = NULL;
	struct mapping *mapping = NULL;

	assert_int_equal(catalog_show_scanned(catalog, name, origin, &record, &extents, &state,
					      &owner, &mapping),
			 0);
	return mapping;
}

static uint64_t since(const struct mapping *mapping)
{
	return mapping_version(mapping)->since;
}

static void see(struct catalog *catalog, const struct mapping *mapping)
{
	size_t length;

	assert_non_null(version_document(catalog, mapping_version(mapping), &length));
}

/* The facts of an intact mapping that this test made. */
static struct facts facts_of(const char *path)
{
	return (struct facts){
		.path = shared_text_new(path),
		.size = 10000,
		.size_known = true,
		.owner = process_info_get(&owner),
	};
}

static void learn(struct catalog *catalog, struct mapping *mapping, struct facts facts)
{
	catalog_learn(catalog, mapping, &facts, 1);
}

static void a_mapping_is_as_old_as_it_says(void **state)
{
	uint64_t now = clock_time_of_day();

	assert_int_equal(since(add(*state, "a", now)), now);
	assert_int_equal(since(add(*state, "b", now)), now);
}

/* The mapping is older than the catalog, and may have changed meanwhile. */
static void what_was_there_before_is_as_old_as_the_catalog(void **state)
{
	uint64_t before = clock_time_of_day();
	struct catalog *catalog = catalog_new(0);
	struct mapping *mapping = add(catalog, "a", before - HOUR);

	assert_true(since(mapping) > before);
	assert_true(since(mapping) <= clock_time_of_day() + 1);
	catalog_free(catalog);
	(void)state;
}

/* The time is that of the scan: an observed mapping has none, and a process may claim any. */
static void what_is_found_is_as_old_as_that(void **state)
{
	uint64_t before = clock_time_of_day();
	struct mapping *mappings[] = {
		add_scanned(*state, "a", ORIGIN_OBSERVED, 0),
		add_scanned(*state, "b", ORIGIN_PUBLISHED, 1),
		add_scanned(*state, "c", ORIGIN_PUBLISHED, before + HOUR),
	};
	uint64_t after = clock_time_of_day();

	for (size_t i = 0; i < 3; i++) {
		assert_true(since(mappings[i]) >= before);
		assert_true(since(mappings[i]) <= after);
	}
}

static void the_first_facts_are_no_change(void **state)
{
	uint64_t now = clock_time_of_day();
	struct device device = {.references = 1};
	struct mapping *own = add(*state, "a", now);
	struct mapping *found = add_scanned(*state, "b", ORIGIN_OBSERVED, 0);
	uint64_t seen = since(found);
	struct facts facts = facts_of("/x");

	facts.device = device_get(&device);
	learn(*state, own, facts);
	assert_int_equal(since(own), now);
	learn(*state, found, facts_of("/y"));
	assert_int_equal(since(found), seen);
	assert_string_equal(mapping_version(found)->path, "/y");
	/* The next facts are a change. */
	learn(*state, own, facts_of("/x"));
	assert_true(since(own) > now);
	learn(*state, found, facts_of("/x"));
	assert_true(since(found) > seen);
}

static void the_first_facts_are_a_change_of_what_was_seen(void **state)
{
	struct mapping *mapping = add_scanned(*state, "a", ORIGIN_OBSERVED, 0);
	uint64_t seen = since(mapping);

	see(*state, mapping);
	learn(*state, mapping, facts_of("/x"));
	assert_true(since(mapping) > seen);
}

/* What goes over the socket may be rendered later, and is seen too. */
static void a_held_version_is_seen(void **state)
{
	struct mapping *mapping = add_scanned(*state, "a", ORIGIN_OBSERVED, 0);
	uint64_t seen = since(mapping);
	version_release(*state, version_hold(mapping_version(mapping)));
	learn(*state, mapping, facts_of("/x"));
	assert_true(since(mapping) > seen);
}

/* The first facts are a change only if path, size or state differ from those of the request. */
static void the_first_facts_tell_what_changed_before(void **state)
{
	uint64_t now = clock_time_of_day();

	for (int i = 0; i < 6; i++) {
		struct mapping *mapping = add(*state, "a", now);
		struct facts facts = facts_of(i == 1 ? "/y" : "/x");
		uint64_t at_first = since(mapping);

		facts.deleted = i == 2;
		facts.size += i == 3;
		facts.lost = i == 4;
		if (i == 5)
			facts.extents = extents_new();
		learn(*state, mapping, facts);
		if (i == 0)
			assert_int_equal(since(mapping), at_first);
		else
			assert_true(since(mapping) > at_first);
		catalog_remove(*state, mapping);
	}
}

/* Facts that were read again are at other addresses, or differ in what no document shows. */
static void the_same_is_no_change(void **state)
{
	struct mapping *mapping = add_scanned(*state, "a", ORIGIN_OBSERVED, 0);
	struct process_info again = {.references = 1, .is = {.pid = 1}};
	struct device device = {.references = 1}, other = {.references = 1};
	struct pmem2fs_record record = record_of(0);
	struct extents *extents = NULL;
	const struct version *version;
	struct facts facts = facts_of("/x");

	facts.device = device_get(&device);
	learn(*state, mapping, facts);
	version = mapping_version(mapping);
	facts = facts_of("/x");
	process_info_put(facts.owner);
	facts.owner = process_info_get(&again);
	facts.device = device_get(&other);
	learn(*state, mapping, facts);
	record.source_size++;
	assert_int_equal(catalog_update_scanned(*state, mapping, &record, &extents), 0);
	assert_ptr_equal(mapping_version(mapping), version);
	record.protection = 1;
	assert_int_equal(catalog_update_scanned(*state, mapping, &record, &extents), 0);
	assert_ptr_not_equal(mapping_version(mapping), version);
	catalog_remove(*state, mapping);
	assert_int_equal(device.references, 1);
	assert_int_equal(other.references, 1);
	assert_int_equal(again.references, 1);
}

/* The clock was put back by an hour after the mapping was made. */
static void times_grow_whatever_the_clock_says(void **state)
{
	uint64_t last = clock_time_of_day() + HOUR, now;
	struct mapping *mapping = add(*state, "a", last), *reserved;

	learn(*state, mapping, facts_of("/x"));
	assert_int_equal(since(mapping), last);
	learn(*state, mapping, facts_of("/y"));
	assert_int_equal(since(mapping), ++last);
	assert_int_equal(catalog_cut(*state, mapping, 0, 4096), 0);
	assert_int_equal(since(mapping), ++last);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(catalog_reserve(*state, i ? "a" : "b", 0, &reserved), 0);
		assert_int_equal(catalog_rename(*state, mapping, reserved), 0);
		assert_int_equal(since(mapping), ++last);
	}
	catalog_remove(*state, mapping);
	mapping = add(*state, "a", clock_time_of_day());
	assert_int_equal(since(mapping), ++last);
	/* A mapping with another name has the time of the clock. */
	now = clock_time_of_day();
	assert_int_equal(since(add(*state, "c", now)), now);
}

static void each_change_of_names_has_a_time(void **state)
{
	struct timespec last = catalog_changed(*state), now;

	for (int i = 0; i < 100; i++) {
		struct mapping *mapping = add(*state, "a", 1);

		now = catalog_changed(*state);
		assert_true(now.tv_sec > last.tv_sec ||
			    (now.tv_sec == last.tv_sec && now.tv_nsec > last.tv_nsec));
		last = now;
		catalog_remove(*state, mapping);
		assert_memory_not_equal(&last, &(struct timespec[]){catalog_changed(*state)},
					sizeof(last));
		last = catalog_changed(*state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_mapping_is_as_old_as_it_says, begin, end),
		cmocka_unit_test(what_was_there_before_is_as_old_as_the_catalog),
		cmocka_unit_test_setup_teardown(what_is_found_is_as_old_as_that, begin, end),
		cmocka_unit_test_setup_teardown(the_first_facts_are_no_change, begin, end),
		cmocka_unit_test_setup_teardown(the_first_facts_are_a_change_of_what_was_seen,
						begin, end),
		cmocka_unit_test_setup_teardown(a_held_version_is_seen, begin, end),
		cmocka_unit_test_setup_teardown(the_first_facts_tell_what_changed_before, begin,
						end),
		cmocka_unit_test_setup_teardown(the_same_is_no_change, begin, end),
		cmocka_unit_test_setup_teardown(times_grow_whatever_the_clock_says, begin, end),
		cmocka_unit_test_setup_teardown(each_change_of_names_has_a_time, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
