/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_lookup_ahead.c - who asks for one file after the other has more facts read along
 */
#include "fuse/lookup_ahead.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void one_after_the_other(void **state)
{
	struct lookup_ahead ahead = {0};
	uint64_t number = 1000;
	unsigned count = lookup_ahead(&ahead, number), next;

	(void)state;
	assert_int_equal(count, LOOKUP_AHEAD_MIN);
	for (; count < LOOKUP_AHEAD_MAX; count = next) {
		number += count + 1; /* the next mapping whose facts are not read yet */
		next = lookup_ahead(&ahead, number);
		assert_int_equal(next, 2 * count);
	}
	assert_int_equal(lookup_ahead(&ahead, number + count + 1), LOOKUP_AHEAD_MAX);
}

static void numbers_that_are_no_longer_used(void **state)
{
	struct lookup_ahead ahead = {0};

	(void)state;
	lookup_ahead(&ahead, 1000);
	assert_int_equal(lookup_ahead(&ahead, 1000 + 2 * LOOKUP_AHEAD_MIN), 2 * LOOKUP_AHEAD_MIN);
}

static void another_file_begins_anew(void **state)
{
	struct lookup_ahead ahead = {0};

	(void)state;
	lookup_ahead(&ahead, 1000);
	lookup_ahead(&ahead, 1100);
	assert_int_equal(lookup_ahead(&ahead, 1100), LOOKUP_AHEAD_MIN); /* the same */
	lookup_ahead(&ahead, 1200);
	assert_int_equal(lookup_ahead(&ahead, 100), LOOKUP_AHEAD_MIN); /* one before */
	lookup_ahead(&ahead, 200);
	assert_int_equal(lookup_ahead(&ahead, 2000), LOOKUP_AHEAD_MIN); /* one far behind */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_after_the_other),
		cmocka_unit_test(numbers_that_are_no_longer_used),
		cmocka_unit_test(another_file_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
