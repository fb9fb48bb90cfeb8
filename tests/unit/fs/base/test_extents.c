/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_extents.c - lists of the parts that are still mapped
 */
#include "base/extents.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define UNITS 24 /* of the random lists */

static void appends_join_what_touches(void **state)
{
	struct extents *extents = extents_new();

	(void)state;
	assert_int_equal(extents->count, 0);
	assert_int_equal(extents_append(&extents, 0, 10), 0);
	assert_int_equal(extents_append(&extents, 10, 20), 0); /* touches */
	assert_int_equal(extents_append(&extents, 5, 15), 0);  /* is inside */
	assert_int_equal(extents_append(&extents, 15, 25), 0); /* overlaps */
	assert_int_equal(extents->count, 1);
	assert_int_equal(extents->list[0].length, 25);
	assert_int_equal(extents_append(&extents, 30, 40), 0);
	assert_int_equal(extents->count, 2);
	assert_int_equal(extents->list[1].offset, 30);
	assert_int_equal(extents->list[1].length, 10);
	free(extents);
}

/* The list of the units whose bits are set. */
static struct extents *of_bits(uint32_t bits)
{
	struct extents *extents = extents_new();

	for (unsigned i = 0; i < UNITS; i++)
		if (bits & 1u << i)
			assert_int_equal(extents_append(&extents, i, i + 1), 0);
	return extents;
}

static void expect_bits(const struct extents *extents, uint32_t bits)
{
	struct extents *wanted = of_bits(bits);

	assert_non_null(extents);
	assert_true(extents_equal(extents, wanted));
	free(wanted);
}

static void works_like_sets(void **state)
{
	(void)state;
	srand(1);
	for (int i = 0; i < 20000; i++) {
		/* Single bits in some masks, rows of bits in others. */
		uint32_t a = (uint32_t)rand() & (uint32_t)rand() & ((1u << UNITS) - 1);
		uint32_t b = ((uint32_t)rand() | (uint32_t)rand()) & ((1u << UNITS) - 1);
		unsigned begin = (unsigned)rand() % UNITS;
		unsigned end = begin + 1 + (unsigned)rand() % (UNITS - begin);
		uint32_t range = ((1u << (end - begin)) - 1) << begin;
		struct extents *x = of_bits(a), *y = of_bits(b), *both, *left;

		assert_int_equal(extents_intersect(x, y, &both), 0);
		expect_bits(both, a & b);
		assert_int_equal(extents_remove(x, UNITS, begin, end, &left), 0);
		expect_bits(left, a & ~range);
		assert_int_equal(extents_split(x, UNITS, begin, end), left->count > x->count);
		assert_int_equal(extents_bytes(x, UNITS), __builtin_popcount(a));
		assert_int_equal(extents_bytes(x, begin),
				 __builtin_popcount(a & ((1u << begin) - 1)));
		assert_int_equal(extents_equal(x, y), a == b);
		free(left);
		free(both);
		free(y);
		free(x);
	}
}

static void null_is_the_whole(void **state)
{
	struct extents *some = of_bits(5), *none = extents_new(), *result = none;

	(void)state;
	assert_int_equal(extents_intersect(NULL, NULL, &result), 0);
	assert_null(result);
	assert_int_equal(extents_intersect(some, NULL, &result), 0);
	expect_bits(result, 5);
	free(result);
	assert_int_equal(extents_intersect(NULL, some, &result), 0);
	expect_bits(result, 5);
	free(result);
	assert_int_equal(extents_intersect(NULL, none, &result), 0);
	expect_bits(result, 0);
	free(result);
	assert_int_equal(extents_remove(NULL, 3, 1, 2, &result), 0);
	expect_bits(result, 5);
	free(result);
	assert_int_equal(extents_remove(NULL, 3, 0, 3, &result), 0);
	expect_bits(result, 0);
	free(result);
	assert_true(extents_split(NULL, 3, 1, 2));
	assert_false(extents_split(NULL, 3, 0, 2));
	assert_false(extents_split(NULL, 3, 1, 3));
	assert_true(extents_equal(NULL, NULL));
	assert_false(extents_equal(NULL, none));
	assert_false(extents_equal(some, NULL));
	assert_int_equal(extents_bytes(NULL, 77), 77);
	assert_int_equal(extents_bytes(none, 77), 0);
	free(none);
	free(some);
}

static void whole_pages(void **state)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	(void)state;
	assert_int_equal(extents_whole(1), page);
	assert_int_equal(extents_whole(page), page);
	assert_int_equal(extents_whole(page + 1), 2 * page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_join_what_touches),
		cmocka_unit_test(works_like_sets),
		cmocka_unit_test(null_is_the_whole),
		cmocka_unit_test(whole_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
