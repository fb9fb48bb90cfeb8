/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_json_writer.c - what json_writer.h writes is what json_text gives for the same values
 */
#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/json_writer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const texts[] = {
	"",
	"plain",
	"\"\\/\b\f\n\r\t\x01\x1f\x7f",
	"caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80",
	"\xc2\x80\xc2\x9f\xc2\xa0\xd8\x9c\xe2\x80\x8e\xe2\x80\xae\xe2\x81\xa6",
	"\xff\\",
	NULL,
};

#define TEXTS (sizeof(texts) / sizeof(texts[0]))

/* The same values by both ways. */
static void write_values(struct json_writer *writer)
{
	json_write_begin(writer, NULL, '{');
	json_write_begin(writer, "none", '{');
	json_write_end(writer, '}');
	json_write_begin(writer, "texts", '[');
	for (size_t i = 0; i < TEXTS; i++) {
		json_write_begin(writer, NULL, '{');
		json_write_bytes(writer, "text", texts[i]);
		json_write_end(writer, '}');
	}
	json_write_end(writer, ']');
	json_write_begin(writer, "numbers", '[');
	json_write_number(writer, NULL, 0);
	json_write_number(writer, NULL, INT64_MAX);
	json_write_integer(writer, NULL, INT64_MIN);
	json_write_begin(writer, NULL, '[');
	json_write_end(writer, ']');
	json_write_end(writer, ']');
	json_write_boolean(writer, "yes", true);
	json_write_boolean(writer, "no", false);
	json_write_null(writer, "null");
	json_write_end(writer, '}');
}

static json_t *build_values(void)
{
	json_t *array = json_array();

	for (size_t i = 0; i < TEXTS; i++) {
		json_t *object = json_object();

		json_field_bytes(object, "text", texts[i]);
		json_array_append_new(array, object);
	}
	return json_pack("{s:{}, s:o, s:[i, I, I, []], s:b, s:b, s:n}", "none", "texts", array,
			 "numbers", 0, (json_int_t)INT64_MAX, (json_int_t)INT64_MIN, "yes", 1, "no",
			 0, "null");
}

static void is_as_json_text(void **state)
{
	json_t *json = build_values();

	(void)state;
	assert_non_null(json);
	for (int indented = 0; indented < 2; indented++) {
		struct text_buffer out = {0};
		struct json_writer writer = {.out = &out, .indented = indented};
		char *expected = json_text(json, indented ? JSON_INDENT(2) : JSON_COMPACT);

		write_values(&writer);
		text_buffer_put_byte(&out, '\0');
		assert_false(out.failed);
		assert_string_equal(out.bytes, expected);
		free(expected);
		free(out.bytes);
	}
	json_decref(json);
}

static void numbers_have_all_digits(void **state)
{
	struct text_buffer out = {0};
	struct json_writer writer = {.out = &out};

	(void)state;
	json_write_number(&writer, NULL, UINT64_MAX);
	text_buffer_put_byte(&out, '\0');
	assert_string_equal(out.bytes, "18446744073709551615");
	free(out.bytes);
}

static void what_is_not_utf8_is_replaced(void **state)
{
	struct text_buffer out = {0};

	(void)state;
	json_write_quoted(&out, "a\xff\xe2\x80");
	text_buffer_put_byte(&out, '\0');
	assert_string_equal(out.bytes, "\"a\\uFFFD\\uFFFD\\uFFFD\"");
	free(out.bytes);
}

/* A buffer without memory takes nothing more, and keeps what it has. */
static void a_failure_stays(void **state)
{
	struct text_buffer out = {0};

	(void)state;
	text_buffer_put_text(&out, "abc");
	assert_null(text_buffer_space(&out, SIZE_MAX));
	assert_true(out.failed);
	text_buffer_put_text(&out, "d");
	text_buffer_put_number(&out, 1);
	assert_int_equal(out.length, 3);
	assert_memory_equal(out.bytes, "abc", 3);
	free(out.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_as_json_text),
		cmocka_unit_test(numbers_have_all_digits),
		cmocka_unit_test(what_is_not_utf8_is_replaced),
		cmocka_unit_test(a_failure_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
