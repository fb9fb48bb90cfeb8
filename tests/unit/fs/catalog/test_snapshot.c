/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_snapshot.c - the versions of one moment, while mappings change between the portions
 */
#include "base/shared_text.h"
#include "catalog/snapshot.h"
#include "shown_mapping.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT     400 /* names; about every second one is shown */
#define SNAPSHOTS 3

/* What the catalog shows by then: the path in the document of each name, "" when it has none. */
struct moment {
	struct snapshot snapshot;
	size_t count;
	bool shown[COUNT];
	char path[COUNT][16];
	bool ended; /* the snapshot has all */
};

static unsigned seed;

static unsigned any(unsigned below)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % below;
}

static const char *name(unsigned i)
{
	static char text[16];

	snprintf(text, sizeof(text), "m%03u", i);
	return text;
}

static void note(struct catalog *catalog, struct moment *moment)
{
	moment->count = 0;
	for (unsigned i = 0; i < COUNT; i++) {
		struct mapping *mapping = catalog_find(catalog, name(i));
		const char *path = mapping ? mapping_version(mapping)->path : NULL;

		moment->shown[i] = mapping;
		moment->count += moment->shown[i];
		strcpy(moment->path[i], path ? path : "");
	}
	moment->ended = false;
	assert_int_equal(snapshot_begin(&moment->snapshot, catalog), 0);
}

static void check(struct catalog *catalog, struct moment *moment)
{
	struct snapshot *snapshot = &moment->snapshot;
	size_t at = 0;

	assert_int_equal(snapshot->count, moment->count);
	for (unsigned i = 0; i < COUNT; i++) {
		const struct version *version = snapshot->versions[at];

		if (!moment->shown[i])
			continue;
		assert_string_equal(version->text, name(i));
		assert_string_equal(version->path ? version->path : "", moment->path[i]);
		version_release(catalog, snapshot->versions[at++]);
	}
	snapshot_clear(snapshot, catalog);
}

static void rename_to(struct catalog *catalog, struct mapping *mapping, const char *to)
{
	struct mapping *reserved;

	if (!catalog_reserve(catalog, to, 0, &reserved))
		assert_int_equal(catalog_rename(catalog, mapping, reserved), 0);
}

static void learn(struct catalog *catalog, struct mapping *mapping)
{
	char path[16];
	struct facts facts = {0};

	snprintf(path, sizeof(path), "/%u", any(1000));
	facts.path = shared_text_new(path);
	catalog_learn(catalog, mapping, &facts, 1);
}

/* `leaving`: has ended, and is not removed yet. */
static void change_something(struct catalog *catalog, struct mapping **leaving)
{
	struct mapping *mapping = catalog_find(catalog, name(any(COUNT)));
	unsigned what = any(5);

	if (*leaving && what == 0) {
		learn(catalog, *leaving);
		catalog_remove(catalog, *leaving);
		*leaving = NULL;
	} else if (!mapping) {
		mapping = NULL;
		if (!catalog_reserve(catalog, name(any(COUNT)), 0, &mapping))
			assert_int_equal(catalog_show(catalog, mapping, 0, &record, NULL, &owner),
					 0);
	} else if (what == 1) {
		rename_to(catalog, mapping, name(any(COUNT)));
	} else if (what == 2) {
		catalog_remove(catalog, mapping);
	} else if (what == 3 && !*leaving) {
		catalog_end(catalog, mapping);
		*leaving = mapping;
	} else {
		learn(catalog, mapping);
	}
}

/* Three at once, begun one after the other, each in portions of its own. */
static void is_of_one_moment(void **state)
{
	static struct moment moments[SNAPSHOTS];
	struct catalog *catalog = *state;
	struct mapping *leaving = NULL;
	unsigned portions = 0, taken = 0;

	for (seed = 0; taken < 200; seed++) {
		struct moment *moment = &moments[taken % SNAPSHOTS];

		if (moment->snapshot.versions && moment->ended) {
			check(catalog, moment);
			taken++;
		}
		if (!moment->snapshot.versions)
			note(catalog, moment);
		for (unsigned i = any(60); i; i--)
			change_something(catalog, &leaving);
		moment = &moments[any(SNAPSHOTS)];
		if (moment->snapshot.versions && !moment->ended) {
			int error = snapshot_work(&moment->snapshot, catalog, 0);

			assert_true(error == 0 || error == -EAGAIN);
			moment->ended = !error;
			portions++;
		}
	}
	assert_true(portions > 3 * taken);
	for (unsigned i = 0; i < SNAPSHOTS; i++) {
		struct snapshot *snapshot = &moments[i].snapshot;

		for (size_t j = 0; snapshot->versions && j < snapshot->count; j++)
			version_release(catalog, snapshot->versions[j]);
		snapshot_clear(snapshot, catalog);
	}
}

static bool is_b(void *arg, const struct version *version)
{
	return arg && !strcmp(version->text, "b");
}

static void takes_what_is_wanted(void **state)
{
	struct snapshot snapshot = {.wanted = is_b, .arg = state};
	struct catalog *catalog = *state;

	add(catalog, "a", 0, &record);
	add(catalog, "b", 1, &record);
	add(catalog, "c", 2, &record);
	assert_int_equal(snapshot_begin(&snapshot, catalog), 0);
	catalog_remove(catalog, catalog_find(catalog, "b"));
	catalog_remove(catalog, catalog_find(catalog, "c"));
	assert_int_equal(snapshot.removed, 0);
	assert_int_equal(snapshot_work(&snapshot, catalog, 0), 0);
	assert_int_equal(snapshot.count, 1);
	assert_string_equal(snapshot.versions[0]->text, "b");
	version_release(catalog, snapshot.versions[0]);
	snapshot_clear(&snapshot, catalog);
}

/* Facts that would only complete a document are a change once it is going to be read. */
static void two_versions_that_are_read_have_two_times(void **state)
{
	struct catalog *catalog = *state;
	struct facts facts = {.path = shared_text_new("/x"), .size = 10000, .size_known = true};
	struct mapping *mapping = add(catalog, "a", 0, &record);
	struct snapshot snapshot = {0};

	assert_int_equal(snapshot_begin(&snapshot, catalog), 0);
	catalog_learn(catalog, mapping, &facts, 1);
	assert_int_equal(snapshot_work(&snapshot, catalog, 0), 0);
	assert_int_equal(snapshot.count, 1);
	assert_null(snapshot.versions[0]->path);
	assert_true(snapshot.versions[0]->since < mapping_version(mapping)->since);
	version_release(catalog, snapshot.versions[0]);
	snapshot_clear(&snapshot, catalog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(is_of_one_moment, begin, end),
		cmocka_unit_test_setup_teardown(takes_what_is_wanted, begin, end),
		cmocka_unit_test_setup_teardown(two_versions_that_are_read_have_two_times, begin,
						end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
