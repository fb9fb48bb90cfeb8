/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_interval_index.c - the index of all intervals, beside a plain array of the same addresses
 */
#include "helper.h"
#include "registry/interval_index.h"

#define PLACES 512
#define STEPS  20000

/* Place i is [i * PAGE, (i + 1) * PAGE); an interval covers up to MAX places. */
#define MAX 4

static struct interval_set sets[PLACES]; /* by the first place */
static bool is_taken[PLACES + MAX];
static unsigned lengths[PLACES]; /* in places; 0: no interval begins there */

static struct interval range_of(unsigned place, unsigned count)
{
	return (struct interval){(place + 1) * PAGE, (place + 1 + count) * PAGE};
}

/* The lowest taken place of [from, end), or -1. */
static int lowest_taken(unsigned from, unsigned end)
{
	for (unsigned i = from; i < end; i++)
		if (is_taken[i])
			return (int)i;
	return -1;
}

static void set_taken(unsigned place, unsigned count, bool taken)
{
	for (unsigned i = 0; i < count; i++)
		is_taken[place + i] = taken;
	lengths[place] = taken ? count : 0;
}

static void add(unsigned place, unsigned count)
{
	struct interval range = range_of(place, count);
	bool overlaps = lowest_taken(place, place + count) >= 0;

	if (lengths[place])
		return;
	assert_int_equal(interval_index_insert(&sets[place], NULL, &range), overlaps ? -EEXIST : 0);
	if (!overlaps)
		set_taken(place, count, true);
}

static void check(unsigned from, unsigned count)
{
	struct interval range = range_of(from, count);
	const struct indexed_interval *lowest = interval_index_lowest(range.begin, range.end);
	const struct indexed_interval *any = interval_index_any(range.begin, range.end);
	int taken = lowest_taken(from, from + count);

	assert_int_equal(lowest != NULL, taken >= 0);
	assert_int_equal(any != NULL, taken >= 0);
	if (taken < 0)
		return;
	assert_true(any->range.begin < range.end && any->range.end > range.begin);
	assert_true(lowest->range.begin <= range_of((unsigned)taken, 1).begin);
	assert_true(lowest->range.end >= range_of((unsigned)taken, 1).end);
}

static void test_as_an_array(void **state)
{
	(void)state;
	srandom(1);
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned place = (unsigned)random() % PLACES;
		unsigned count = 1 + (unsigned)random() % MAX;

		if (lengths[place] && i % 2) {
			interval_index_clear(&sets[place]);
			set_taken(place, lengths[place], false);
		} else {
			add(place, count);
		}
		check((unsigned)random() % PLACES, 1 + (unsigned)random() % MAX);
	}
	for (unsigned i = 0; i < PLACES; i++)
		interval_index_clear(&sets[i]);
	assert_null(interval_index_any(0, UINTPTR_MAX));
}

/* However the addresses follow each other, as those of mappings do, a search stays short. */
static void test_depth(void **state)
{
	enum { MANY = 50000 };
	struct interval_set *many = calloc(MANY, sizeof(*many));
	unsigned deepest = 0;

	(void)state;
	assert_non_null(many);
	for (unsigned i = 0; i < MANY; i++) {
		struct interval range = range_of(MANY - i, 1);

		assert_ok(interval_index_insert(&many[i], NULL, &range));
	}
	for (unsigned i = 0; i < MANY; i++) {
		const struct indexed_interval *wanted = &many[i].first;
		const struct indexed_interval *at = interval_index_any(0, UINTPTR_MAX);
		unsigned depth = 0;

		/* Any interval of all is the root. */
		for (; at != wanted; depth++)
			at = wanted->range.begin < at->range.begin ? at->left : at->right;
		if (depth > deepest)
			deepest = depth;
	}
	/* A balanced tree would have 16 levels. */
	assert_true(deepest <= 64);
	for (unsigned i = 0; i < MANY; i++)
		interval_index_clear(&many[i]);
	free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_an_array),
		cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
