/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_spare_memory.c - when spare memory is given back
 */
#include "base/clock.h"
#include "base/spare_memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static unsigned given_back;

int __wrap_malloc_trim(size_t pad);

int __wrap_malloc_trim(size_t pad)
{
	assert_int_equal(pad, 0);
	given_back++;
	return 1;
}

static void what_is_little_stays(void **state)
{
	(void)state;
	assert_int_equal(spare_memory_expire(1000), UINT64_MAX);
	spare_memory_note(SPARE_MEMORY_LITTLE - 1);
	assert_int_equal(spare_memory_expire(2000), UINT64_MAX);
	assert_int_equal(given_back, 0);
	spare_memory_note(1);
	assert_int_equal(spare_memory_expire(3000), UINT64_MAX);
	assert_int_equal(given_back, 1);
}

static void once_a_second(void **state)
{
	uint64_t due = 3000 + CLOCK_SECOND;

	(void)state;
	spare_memory_note(SPARE_MEMORY_LITTLE);
	assert_int_equal(spare_memory_expire(4000), due);
	assert_int_equal(spare_memory_expire(due - 1), due);
	assert_int_equal(given_back, 1);
	assert_int_equal(spare_memory_expire(due), UINT64_MAX);
	assert_int_equal(given_back, 2);
	assert_int_equal(spare_memory_expire(due + 2 * CLOCK_SECOND), UINT64_MAX);
	assert_int_equal(given_back, 2);
}

/* Or the loop would stand still for as long as it takes to give all back. */
static void much_does_not_wait(void **state)
{
	uint64_t now = 10 * CLOCK_SECOND;

	(void)state;
	given_back = 0;
	for (unsigned i = 1; i <= 3; i++) {
		spare_memory_note(SPARE_MEMORY_MUCH);
		assert_int_equal(spare_memory_expire(now), UINT64_MAX);
		assert_int_equal(given_back, i);
	}
	spare_memory_note(SPARE_MEMORY_MUCH - 1);
	assert_int_equal(spare_memory_expire(now), now + CLOCK_SECOND);
	assert_int_equal(given_back, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_little_stays),
		cmocka_unit_test(once_a_second),
		cmocka_unit_test(much_does_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
