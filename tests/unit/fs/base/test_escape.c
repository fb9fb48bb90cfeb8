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
		cmocka_unit_test(refuses_broken_escapes),
		cmocka_unit_test(decodes_capital_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
