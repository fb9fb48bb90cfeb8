/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_json_text.c - JSON as text that a terminal shows as it is
 */
#include "base/escape.h"
#include "base/json_text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_text(const char *string, size_t flags, const char *expected)
{
	json_t *value = json_pack("[s]", string), *again;
	char *text = json_text(value, flags);

	assert_non_null(text);
	assert_string_equal(text, expected);
	again = json_loads(text, 0, NULL);
	assert_true(json_equal(value, again));
	json_decref(again);
	json_decref(value);
	free(text);
}

static void spells_what_terminals_act_on(void **state)
{
	(void)state;
	expect_text("plain \xc3\xa9\xe6\x97\xa5\xe2\x82\xac\xc2\xa0", JSON_COMPACT,
		    "[\"plain \xc3\xa9\xe6\x97\xa5\xe2\x82\xac\xc2\xa0\"]");
	expect_text("\x1b[m\n", JSON_COMPACT, "[\"\\u001B[m\\n\"]");
	expect_text("\x7f", JSON_INDENT(1), "[\n \"\\u007F\"\n]");
	expect_text("\xc2\x80\xc2\x9b\xc2\x9f", JSON_COMPACT, "[\"\\u0080\\u009B\\u009F\"]");
	expect_text("a\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f", JSON_COMPACT,
		    "[\"a\\u061C\\u200E\\u200F\"]");
	expect_text("\xe2\x80\xaa\xe2\x80\xae", JSON_COMPACT, "[\"\\u202A\\u202E\"]");
	expect_text("\xe2\x81\xa6\xe2\x81\xa9z\xc3\xa9", JSON_COMPACT,
		    "[\"\\u2066\\u2069z\xc3\xa9\"]");
	expect_text("\\x7f", JSON_COMPACT, "[\"\\\\x7f\"]");
}

/* Each character of the lower half of Unicode, with another one behind it. */
static void keeps_every_string(void **state)
{
	(void)state;
	for (unsigned character = 1; character < 0x10000; character++) {
		char escaped[32], *text;
		json_t *value, *again;

		if (character >= 0xd800 && character <= 0xdfff)
			continue;
		snprintf(escaped, sizeof(escaped), "[\"\\u%04xz\"]", character);
		value = json_loads(escaped, 0, NULL);
		text = json_text(value, JSON_COMPACT);
		for (const char *at = text; *at; at += escape_utf8_length(at))
			assert_false(escape_is_active(escape_utf8_character(at)));
		again = json_loads(text, 0, NULL);
		assert_true(json_equal(value, again));
		json_decref(again);
		json_decref(value);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spells_what_terminals_act_on),
		cmocka_unit_test(keeps_every_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
