/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_json_fields.c - bytes and times in JSON
 */
#include "base/json_fields.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static const struct {
	uint64_t nanoseconds;
	const char *text;
} times[] = {
	{0, "1970-01-01T00:00:00.000000000Z"},
	{999999999, "1970-01-01T00:00:00.999999999Z"},
	{1000000000, "1970-01-01T00:00:01.000000000Z"},
	{951827696000000007, "2000-02-29T12:34:56.000000007Z"},
	{1795168800123456789, "2026-11-20T10:00:00.123456789Z"},
	{UINT64_MAX, "2554-07-21T23:34:33.709551615Z"},
};

/* In UTC, whatever the time zone of the process is. */
static void times_are_rfc3339(void **state)
{
	(void)state;
	setenv("TZ", "America/St_Johns", 1);
	tzset();
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		json_t *object = json_object();

		assert_int_equal(json_field_time(object, "time", times[i].nanoseconds), 0);
		assert_string_equal(json_string_value(json_object_get(object, "time")),
				    times[i].text);
		json_decref(object);
	}
}

static const struct {
	const char *bytes, *text;
} names[] = {
	{"", "{\"name\": \"\"}"},
	{"caf\xc3\xa9\n", "{\"name\": \"caf\xc3\xa9\\n\"}"},
	{"\xff", "{\"name\": \"\\\\xff\", \"name_encoding\": \"escaped\"}"},
	{"a\\b", "{\"name\": \"a\\\\x5cb\", \"name_encoding\": \"escaped\"}"},
	{NULL, "{\"name\": null}"},
};

static void bytes_are_escaped_where_they_must(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		json_t *object = json_object();
		char *text;

		assert_int_equal(json_field_bytes(object, "name", names[i].bytes), 0);
		text = json_dumps(object, 0);
		assert_string_equal(text, names[i].text);
		free(text);
		json_decref(object);
	}
}

/* A NULL object, as after a failed allocation, is an error, as with jansson. */
static void nothing_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(json_field_bytes(NULL, "name", "x"), -1);
	assert_int_equal(json_field_bytes(NULL, "name", "\xff"), -1);
	assert_int_equal(json_field_bytes(NULL, "name", NULL), -1);
	assert_int_equal(json_field_time(NULL, "time", 1), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_rfc3339),
		cmocka_unit_test(bytes_are_escaped_where_they_must),
		cmocka_unit_test(nothing_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
