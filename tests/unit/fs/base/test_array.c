/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_array.c - arrays that grow
 */
#include "base/array.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* The sanitizers' allocators end the program where that of libc returns NULL. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void begins_with_what_is_asked_for_first(void **state)
{
	int *numbers = NULL;
	size_t room = 0;

	(void)state;
	assert_int_equal(array_reserve(numbers, &room, 1, 3), 0);
	assert_int_equal(room, 3);
	numbers[2] = 7;
	free(numbers);
}

static void keeps_what_is_there(void **state)
{
	int *numbers = NULL;
	size_t room = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(array_reserve(numbers, &room, (size_t)i + 1, 3), 0);
		numbers[i] = i;
	}
	assert_int_equal(room, 192);
	for (int i = 0; i < 100; i++)
		assert_int_equal(numbers[i], i);
	free(numbers);
}

static void grows_by_many_at_once(void **state)
{
	char *text = NULL;
	size_t room = 0;

	(void)state;
	assert_int_equal(array_reserve(text, &room, 1000, 64), 0);
	assert_int_equal(room, 1024);
	text[999] = 'x';
	free(text);
}

static void does_not_move_while_there_is_room(void **state)
{
	int *numbers = NULL, *before;
	size_t room = 0;

	(void)state;
	assert_int_equal(array_reserve(numbers, &room, 1, 4), 0);
	before = numbers;
	assert_int_equal(array_reserve(numbers, &room, 4, 4), 0);
	assert_ptr_equal(numbers, before);
	free(numbers);
}

static void changes_nothing_without_memory(void **state)
{
	uint64_t *numbers = NULL, *before;
	volatile size_t most = SIZE_MAX; /* or the compiler warns of it */
	size_t room = 0;

	(void)state;
	assert_int_equal(array_reserve(numbers, &room, 1, 4), 0);
	numbers[0] = 9;
	before = numbers;
	assert_int_equal(array_reserve(numbers, &room, SIZE_MAX / 16, 4), -ENOMEM);
	assert_int_equal(array_reserve(numbers, &room, most, 4), -ENOMEM);
	assert_ptr_equal(numbers, before);
	assert_int_equal(room, 4);
	assert_int_equal(numbers[0], 9);
	free(numbers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_with_what_is_asked_for_first),
		cmocka_unit_test(keeps_what_is_there),
		cmocka_unit_test(grows_by_many_at_once),
		cmocka_unit_test(does_not_move_while_there_is_room),
		cmocka_unit_test(changes_nothing_without_memory),
	};

	return cmocka_run_group_tests_name("array", tests, NULL, NULL);
}
