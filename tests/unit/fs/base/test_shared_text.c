/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_shared_text.c - a text is freed with its last reference
 *
 * The sanitizers check that it is freed then, and not before.
 */
#include "base/shared_text.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void is_a_copy(void **state)
{
	char original[] = "text";
	const char *text = shared_text_new(original), *empty = shared_text_new("");

	(void)state;
	original[0] = 'n';
	assert_string_equal(text, "text");
	assert_ptr_equal(shared_text_get(text), text);
	shared_text_put(text);
	assert_string_equal(text, "text");
	shared_text_put(text);
	assert_string_equal(empty, "");
	shared_text_put(empty);
}

static void nothing_is_fine(void **state)
{
	(void)state;
	assert_null(shared_text_get(NULL));
	shared_text_put(NULL);
}

static void *use(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		assert_ptr_equal(shared_text_get(arg), arg);
		assert_string_equal(arg, "text");
		shared_text_put(arg);
	}
	shared_text_put(arg);
	return NULL;
}

/* The text is freed when the last thread has dropped it. */
static void threads_share_a_text(void **state)
{
	const char *text = shared_text_new("text");
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, use, (void *)shared_text_get(text)), 0);
	shared_text_put(text);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_a_copy),
		cmocka_unit_test(nothing_is_fine),
		cmocka_unit_test(threads_share_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
