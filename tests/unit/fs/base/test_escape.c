// SPDX-License-Identifier: BSD-3-Clause
/* test_escape.c - any bytes as text, and back */
#include "base/escape.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *bytes, *text;
} cases[] = {
	{"", ""},
	{"plain", "plain"},
	{"\n\x7f", "\n\x7f"},
	{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
	{"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"},
	{"\\", "\\x5c"},
	{"\\x41", "\\x5cx41"},
	{"\xff", "\\xff"},
	{"\x80z", "\\x80z"},
	{"\xc0\xaf", "\\xc0\\xaf"},                   /* overlong */
	{"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},          /* overlong */
	{"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"}, /* overlong */
	{"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* surrogate */
	{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
	{"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
	{"a\xe2\x82", "a\\xe2\\x82"}, /* cut off */
	{"\xe2\x82\xc3\xa9", "\\xe2\\x82\xc3\xa9"},
};

static void encodes_and_decodes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = escape_encode(cases[i].bytes);
		char *bytes = escape_decode(cases[i].text);

		assert_string_equal(text, cases[i].text);
		assert_string_equal(bytes, cases[i].bytes);
		assert_int_equal(escape_needed(cases[i].bytes),
				 strcmp(cases[i].bytes, cases[i].text) != 0);
		free(bytes);
		free(text);
	}
}

/* What terminals act on, with the characters beside it that they show. */
static void knows_active_characters(void **state)
{
	static const struct {
		uint32_t first, last;
	} active[] = {{0, 0x1f},        {0x7f, 0x9f},     {0x61c, 0x61c},
		      {0x200e, 0x200f}, {0x202a, 0x202e}, {0x2066, 0x2069}};
	uint32_t character = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(active) / sizeof(*active); i++) {
		for (; character < active[i].first; character++)
			assert_false(escape_is_active(character));
		for (; character <= active[i].last; character++)
			assert_true(escape_is_active(character));
	}
	for (; character <= 0x10ffff; character++)
		assert_false(escape_is_active(character));
}

static void decodes_characters(void **state)
{
	(void)state;
	assert_int_equal(escape_utf8_character("A"), 'A');
	assert_int_equal(escape_utf8_character("\xc2\x9bx"), 0x9b);
	assert_int_equal(escape_utf8_character("\xe2\x80\xae"), 0x202e);
	assert_int_equal(escape_utf8_character("\xf4\x8f\xbf\xbf"), 0x10ffff);
}

static void expect_shown(const char *text, size_t size, const char *expected)
{
	char shown[64];

	memset(shown, 'x', sizeof(shown));
	escape_for_terminal(shown, size, text);
	assert_string_equal(shown, expected);
	assert_true(strlen(shown) < size);
	assert_int_equal(shown[size], 'x');
}

static void shows_no_active_character(void **state)
{
	(void)state;
	expect_shown("plain \xc3\xa9\xe6\x97\xa5\\x41", 50, "plain \xc3\xa9\xe6\x97\xa5\\x41");
	expect_shown("\x1b[31m\n\x7f", 50, "\\x1b[31m\\x0a\\x7f");
	expect_shown("\xc2\x80\xc2\x9b\xc2\xa0", 50, "\\xc2\\x80\\xc2\\x9b\xc2\xa0");
	expect_shown("\xd8\x9c\xe2\x80\x8f", 50, "\\xd8\\x9c\\xe2\\x80\\x8f");
	expect_shown("a\xe2\x80\xae\xe2\x81\xa6", 50, "a\\xe2\\x80\\xae\\xe2\\x81\\xa6");
	expect_shown("\x9b\xff\xe2\x80", 50, "\\x9b\\xff\\xe2\\x80");
	/* Cut in front of what does not fit. */
	expect_shown("abc", 4, "abc");
	expect_shown("abc", 3, "ab");
	expect_shown("a\xc3\xa9", 3, "a");
	expect_shown("a\xe2\x80\xae", 13, "a");
	expect_shown("a\xe2\x80\xae", 14, "a\\xe2\\x80\\xae");
	expect_shown("a", 1, "");
}

/* Each pair of bytes is the same after escaping and unescaping. */
static void loses_no_byte(void **state)
{
	(void)state;
	for (unsigned pair = 0x0101; pair <= 0xffff; pair++) {
		const char bytes[] = {(char)(pair >> 8), (char)pair, '\0'};
		char *text = escape_encode(bytes);
		char *again = escape_decode(text);

		assert_false(escape_needed(text) && strchr(text, '\\') == NULL);
		assert_string_equal(again, bytes);
		free(again);
		free(text);
	}
}

static void refuses_broken_escapes(void **state)
{
	static const char *const broken[] = {"\\",    "a\\x",  "\\x4",  "\\x4g", "\\xg4",
					     "\\X41", "\\\\x", "\\n41", "\\x00", "\\x41\\"};

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		errno = 0;
		assert_null(escape_decode(broken[i]));
		assert_int_equal(errno, EINVAL);
	}
}

static void decodes_capital_digits(void **state)
{
	char *bytes = escape_decode("\\xC3\\xa9");

	(void)state;
	assert_string_equal(bytes, "\xc3\xa9");
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_and_decodes),
		cmocka_unit_test(loses_no_byte),
		cmocka_unit_test(knows_active_characters),
		cmocka_unit_test(decodes_characters),
		cmocka_unit_test(shows_no_active_character),
		cmocka_unit_test(refuses_broken_escapes),
		cmocka_unit_test(decodes_capital_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
