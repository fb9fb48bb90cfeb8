// SPDX-License-Identifier: BSD-3-Clause
/* test_request.c - finding the end of requests, and parsing them */
#include "protocol/request.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RW (PMEM2_PROT_READ | PMEM2_PROT_WRITE)

static int scan_in_pieces(const char *text, size_t length, size_t piece, char *why)
{
	struct request_scan scan = {0};
	int result = 0;

	for (size_t at = 0; at < length && result >= 0; at += piece)
		result = request_scan(&scan, text + at, piece < length - at ? piece : length - at,
				      why);
	return result;
}

/* The answer must not depend on the pieces that the text came in. */
static void check_scan(const char *text, size_t length, int expected, const char *expected_why)
{
	for (size_t piece = 1; piece <= length; piece = piece < 9 ? piece + 1 : piece * 7) {
		char why[REQUEST_WHY_LENGTH] = "";

		assert_int_equal(scan_in_pieces(text, length, piece, why), expected);
		assert_string_equal(why, expected_why);
	}
}

static void scan_finds_the_end(void **state)
{
	static const char object[] = "a request must be a JSON object, beginning with \"{\"";
	static const char after[] = "unexpected bytes after the object";
	static const struct {
		const char *text;
		int expected;
		const char *why;
	} cases[] = {
		{"{}", 1, ""},
		{" \t\r\n{}", 1, ""},
		{"{} \t\r\n", 1, ""},
		{" \n", 0, ""},
		{"{", 0, ""},
		{"{\"a\":{}", 0, ""},
		{"{\"a\":[{}]}", 1, ""},
		{"{\"a\":\"}\"}", 1, ""},
		{"{\"a\":\"}\"", 0, ""},
		{"{\"}]\":\"\\\"}\"}", 1, ""},
		{"{\"a\":\"\\\\\"}", 1, ""},
		{"{\"a\":\"\\\\\\\"}\"}", 1, ""},
		{"{\"a\":\"\\u007d{[\"}", 1, ""},
		{"{]", 1, ""}, /* refused later, by the parser */
		{"[]", -EINVAL, object},
		{"x", -EINVAL, object},
		{"\"{}\"", -EINVAL, object},
		{"}", -EINVAL, object},
		{"\xef\xbb\xbf{}", -EINVAL, object},
		{"\v{}", -EINVAL, object},
		{"{}{", -EINVAL, after},
		{"{} x", -EINVAL, after},
		{"{}\"", -EINVAL, after},
		{"{}}", -EINVAL, after},
		{"{}\f", -EINVAL, after},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_scan(cases[i].text, strlen(cases[i].text), cases[i].expected, cases[i].why);
}

static void scan_refuses_nul(void **state)
{
	static const char *const why = "a request must not contain NUL bytes";

	(void)state;
	check_scan("\0{}", 3, -EINVAL, why);
	check_scan("{\"a\0\":1}", 8, -EINVAL, why);
	check_scan("{}\0", 3, -EINVAL, why);
}

static void scan_limits_depth(void **state)
{
	char text[2 * REQUEST_MAX_DEPTH + 2] = "{\"a\":";
	size_t start = strlen(text);

	(void)state;
	memset(text + start, '[', REQUEST_MAX_DEPTH - 1);
	check_scan(text, start + REQUEST_MAX_DEPTH - 1, 0, "");
	text[start + REQUEST_MAX_DEPTH - 1] = '{';
	check_scan(text, start + REQUEST_MAX_DEPTH, -EINVAL, "nested more than 16 deep");
}

static void scan_limits_size(void **state)
{
	static char text[REQUEST_MAX_BYTES + 1];

	(void)state;
	memset(text, ' ', sizeof(text));
	text[100] = '{';
	text[REQUEST_MAX_BYTES - 1] = '}';
	check_scan(text, REQUEST_MAX_BYTES - 1, 0, "");
	check_scan(text, REQUEST_MAX_BYTES, 1, "");
	check_scan(text, sizeof(text), -EFBIG, "a request must not be longer than 65536 bytes");
}

static void understands(void **state)
{
	static const struct {
		const char *text;
		struct request request;
	} cases[] = {
		{"{\"source\":{\"path\":\"/a\"}}",
		 {.path = "/a", .granularity = PMEM2_GRANULARITY_PAGE, .protection = RW}},
		{"{\"source\":{\"path\":\"/a\",\"type\":\"devdax\",\"offset\":4096,\"size\":null,"
		 "\"align\":[],\"dev\":0,\"inode\":\"x\",\"deleted\":false},\"length\":8192,"
		 "\"required_granularity\":\"cache_line\",\"sharing\":\"private\","
		 "\"protection\":\"r-x\",\"version\":1,\"name\":1,\"name_encoding\":1,\"state\":1,"
		 "\"origin\":1,\"address\":1,\"granularity\":1,\"map_sync\":1,\"created\":1,"
		 "\"claimed\":[],\"owner\":{\"x\":1},\"device\":null,\"extents\":[]} \n",
		 {.path = "/a",
		  .offset = 4096,
		  .length = 8192,
		  .granularity = PMEM2_GRANULARITY_CACHE_LINE,
		  .sharing = PMEM2_PRIVATE,
		  .protection = PMEM2_PROT_READ | PMEM2_PROT_EXEC}},
		{"{\"source\":{\"type\":\"anonymous\",\"size\":5000}}",
		 {.anonymous = true,
		  .length = 5000,
		  .granularity = PMEM2_GRANULARITY_PAGE,
		  .protection = RW}},
		{"{\"source\":{\"type\":\"anonymous\",\"size\":5000},\"length\":5000,"
		 "\"sharing\":\"shared\",\"required_granularity\":\"byte\",\"protection\":\"---\"}",
		 {.anonymous = true, .length = 5000, .granularity = PMEM2_GRANULARITY_BYTE}},
		{"{\"source\":{\"path\":\"/\\\\x41\\\\x\\u00e9\"},\"length\":9223372036854775807,"
		 "\"required_granularity\":\"page\",\"protection\":\"-w-\"}",
		 {.path = "/\\x41\\x\xc3\xa9",
		  .length = INT64_MAX,
		  .granularity = PMEM2_GRANULARITY_PAGE,
		  .protection = PMEM2_PROT_WRITE}},
		{"{\"source\":{\"path\":\"/\\\\x41\\\\xFf\\\\x5c\",\"path_encoding\":\"escaped\"},"
		 "\"length\":0}",
		 {.path = "/A\xff\\", .granularity = PMEM2_GRANULARITY_PAGE, .protection = RW}},
		{"{\"source\":{\"path\":\"/a\",\"allocate\":true},\"protection\":\"-w-\"}",
		 {.path = "/a",
		  .granularity = PMEM2_GRANULARITY_PAGE,
		  .protection = PMEM2_PROT_WRITE,
		  .allocate = true}},
		{"{\"source\":{\"path\":\"/a\",\"allocate\":false},\"sharing\":\"private\"}",
		 {.path = "/a",
		  .granularity = PMEM2_GRANULARITY_PAGE,
		  .sharing = PMEM2_PRIVATE,
		  .protection = RW}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct request *expected = &cases[i].request;
		char why[REQUEST_WHY_LENGTH] = "";
		struct request request;
		int error = request_parse(cases[i].text, strlen(cases[i].text), &request, why);

		assert_string_equal(why, "");
		assert_int_equal(error, 0);
		assert_int_equal(request.anonymous, expected->anonymous);
		assert_int_equal(request.offset, expected->offset);
		assert_int_equal(request.length, expected->length);
		assert_int_equal(request.granularity, expected->granularity);
		assert_int_equal(request.sharing, expected->sharing);
		assert_int_equal(request.protection, expected->protection);
		assert_int_equal(request.allocate, expected->allocate);
		if (expected->path == NULL)
			assert_null(request.path);
		else
			assert_string_equal(request.path, expected->path);
		request_clear(&request);
		assert_null(request.path);
	}
}

static void check_refused(int error, const char *text, size_t length, int expected,
			  const char *expected_why, const struct request *request, const char *why)
{
	static const struct request untouched = {.offset = 77};

	if (error != expected || strcmp(why, expected_why) != 0)
		print_error("%.*s\n", (int)(length < 200 ? length : 200), text);
	assert_string_equal(why, expected_why);
	assert_int_equal(error, expected);
	assert_memory_equal(request, &untouched, sizeof(untouched));
}

static void refuse_text(const char *text, size_t length, int expected, const char *expected_why)
{
	struct request request = {.offset = 77};
	char why[REQUEST_WHY_LENGTH] = "";
	int error = request_parse(text, length, &request, why);

	check_refused(error, text, length, expected, expected_why, &request, why);
}

#define AFTER(members)       "{\"source\":{\"path\":\"/a\"}," members "}"
#define SOURCE(members)      "{\"source\":{" members "}}"
#define FILE_SOURCE(members) SOURCE("\"path\":\"/a\"," members)
#define ANONYMOUS(members)   SOURCE("\"type\":\"anonymous\"," members)
#define NOT_WRITABLE         "\"source.allocate\" is for a mapping that is shared and writable"
#define INVALID              "the request is not valid JSON: line 1, column "

static void refuses(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"{}", "\"source\" is missing"},
		{"[]", "a request must be a JSON object"},
		{"{\"source\":\"/a\"}", "\"source\" must be an object"},
		{"{\"source\":null}", "\"source\" must be an object"},
		{SOURCE(""), "\"source.path\" is missing"},
		{SOURCE("\"type\":\"file\""), "\"source.path\" is missing"},
		{SOURCE("\"path\":null"), "\"source.path\" must be a string"},
		{SOURCE("\"path\":\"\""), "\"source.path\" must be absolute: \"\""},
		{SOURCE("\"path\":\"a/b\""), "\"source.path\" must be absolute: \"a/b\""},
		{SOURCE("\"path\":\"a\\n\\u009b\\u007f\""),
		 "\"source.path\" must be absolute: \"a\\x0a\\xc2\\x9b\\x7f\""},
		{SOURCE("\"path\":\"/a\\u0000b\""), "\"source.path\" must not contain NUL"},
		{FILE_SOURCE("\"path_encoding\":\"hex\""),
		 "\"source.path_encoding\" must be one of escaped: \"hex\""},
		{FILE_SOURCE("\"path_encoding\":1"), "\"source.path_encoding\" must be a string"},
		{SOURCE("\"path\":\"/\\\\x00\",\"path_encoding\":\"escaped\""),
		 "\"source.path\" has a backslash that begins no \\xNN, or \\x00: \"/\\x00\""},
		{SOURCE("\"path\":\"/\\\\n\",\"path_encoding\":\"escaped\""),
		 "\"source.path\" has a backslash that begins no \\xNN, or \\x00: \"/\\n\""},
		{SOURCE("\"path\":\"\\\\xff\",\"path_encoding\":\"escaped\""),
		 "\"source.path\" must be absolute: \"\\xff\""},
		{FILE_SOURCE("\"type\":\"pmem\""),
		 "\"source.type\" must be one of fsdax, devdax, file, anonymous: \"pmem\""},
		{FILE_SOURCE("\"type\":1"), "\"source.type\" must be a string"},
		{FILE_SOURCE("\"offset\":-1"), "\"source.offset\" must not be negative"},
		{FILE_SOURCE("\"offset\":\"0\""), "\"source.offset\" must be an integer"},
		{FILE_SOURCE("\"offset\":null"), "\"source.offset\" must be an integer"},
		{FILE_SOURCE("\"ofset\":0"), "unknown key \"source.ofset\""},
		{FILE_SOURCE("\"length\":0"), "unknown key \"source.length\""},
		{AFTER("\"lenght\":1"), "unknown key \"lenght\""},
		{AFTER("\"offset\":1"), "unknown key \"offset\""},
		{AFTER("\"\":1"), "unknown key \"\""},
		{AFTER("\"a\\u001b[31m\":1"), "unknown key \"a\\x1b[31m\""},
		{AFTER("\"length\":-1"), "\"length\" must not be negative"},
		{AFTER("\"length\":-9223372036854775808"), "\"length\" must not be negative"},
		{AFTER("\"length\":4096.0"), "\"length\" must be an integer"},
		{AFTER("\"length\":1e6"), "\"length\" must be an integer"},
		{AFTER("\"length\":\"4096\""), "\"length\" must be an integer"},
		{AFTER("\"length\":true"), "\"length\" must be an integer"},
		{AFTER("\"length\":[]"), "\"length\" must be an integer"},
		{AFTER("\"length\":9223372036854775808"),
		 INVALID "52: too big integer near '9223372036854775808'"},
		{AFTER("\"length\":-9223372036854775809"),
		 INVALID "53: too big negative integer near '-9223372036854775809'"},
		{AFTER("\"required_granularity\":\"Page\""),
		 "\"required_granularity\" must be one of byte, cache_line, page: \"Page\""},
		{AFTER("\"required_granularity\":2"), "\"required_granularity\" must be a string"},
		{AFTER("\"sharing\":\"\""), "\"sharing\" must be one of shared, private: \"\""},
		{AFTER("\"sharing\":\"shared\\u0000\""), "\"sharing\" must not contain NUL"},
		{AFTER("\"sharing\":false"), "\"sharing\" must be a string"},
		{AFTER("\"protection\":\"wr-\""),
		 "\"protection\" must be r or -, w or -, x or -, as in \"rw-\": \"wr-\""},
		{AFTER("\"protection\":\"rw\""),
		 "\"protection\" must be r or -, w or -, x or -, as in \"rw-\": \"rw\""},
		{AFTER("\"protection\":\"rw--\""),
		 "\"protection\" must be r or -, w or -, x or -, as in \"rw-\": \"rw--\""},
		{AFTER("\"protection\":3"), "\"protection\" must be a string"},
		{AFTER("\"version\":2"), "\"version\" must be 1"},
		{AFTER("\"version\":1.0"), "\"version\" must be 1"},
		{AFTER("\"version\":\"1\""), "\"version\" must be 1"},
		{ANONYMOUS("\"path\":\"/a\",\"size\":1"),
		 "\"source.path\" must not be given for anonymous memory"},
		{ANONYMOUS("\"path_encoding\":\"escaped\",\"size\":1"),
		 "\"source.path_encoding\" must not be given for anonymous memory"},
		{ANONYMOUS("\"offset\":0,\"size\":1"),
		 "\"source.offset\" must not be given for anonymous memory"},
		{ANONYMOUS("\"allocate\":true,\"size\":1"),
		 "\"source.allocate\" must not be given for anonymous memory"},
		{FILE_SOURCE("\"allocate\":1"), "\"source.allocate\" must be true or false"},
		{FILE_SOURCE("\"allocate\":null"), "\"source.allocate\" must be true or false"},
		{AFTER("\"allocate\":true"), "unknown key \"allocate\""},
		{"{\"source\":{\"path\":\"/a\",\"allocate\":true},\"protection\":\"r-x\"}",
		 NOT_WRITABLE},
		{"{\"source\":{\"path\":\"/a\",\"allocate\":true},\"sharing\":\"private\"}",
		 NOT_WRITABLE},
		{SOURCE("\"type\":\"anonymous\""), "\"source.size\" is missing"},
		{ANONYMOUS("\"size\":0"), "\"source.size\" must not be 0"},
		{ANONYMOUS("\"size\":-1"), "\"source.size\" must not be negative"},
		{ANONYMOUS("\"size\":null"), "\"source.size\" must be an integer"},
		{"{\"source\":{\"type\":\"anonymous\",\"size\":8192},\"length\":4096}",
		 "\"length\" must be \"source.size\" for anonymous memory"},
		{AFTER("\"source\":{}"), INVALID "32: duplicate object key near '\"source\"'"},
		{FILE_SOURCE("\"path\":\"/b\""),
		 INVALID "29: duplicate object key near '\"path\"'"},
		{"{\"source\":{\"path\":\"/a", INVALID "21: premature end of input near '\"/a'"},
		{"{]", INVALID "2: string or '}' expected near ']'"},
		{"{} x", INVALID "4: end of file expected near 'x'"},
		{"", INVALID "0: '[' or '{' expected near end of file"},
		{SOURCE("\"path\":\"/\xff\""), "the request is not valid UTF-8: line 1, column 20: "
					       "unable to decode byte 0xff near '\"/'"},
		{SOURCE("\"path\":\"/\\ud800\""),
		 INVALID "27: invalid Unicode '\\uD800' near '\"/\\ud800\"'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		refuse_text(cases[i].text, strlen(cases[i].text), -EINVAL, cases[i].why);
}

/* The document has "deleted": another file may be at its path. */
static void refuses_a_deleted_source(void **state)
{
	static const char text[] = SOURCE("\"path\":\"/a\",\"deleted\":true");

	(void)state;
	refuse_text(text, strlen(text), -ENOENT,
		    "\"source.deleted\" says that the source is no longer at its path");
}

static void refuses_nul(void **state)
{
	static const char text[] = "{\"source\":{\"path\":\"/a\"},\"length\":409\0}";

	(void)state;
	refuse_text(text, sizeof(text) - 1, -EINVAL, "a request must not contain NUL bytes");
}

static void limits_the_path(void **state)
{
	char text[4 * PATH_MAX + 64], path[PATH_MAX + 1];
	struct request request = {.offset = 77};
	char why[REQUEST_WHY_LENGTH] = "";
	int length;

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[PATH_MAX] = '\0';
	length = snprintf(text, sizeof(text), SOURCE("\"path\":\"%s\""), path);
	refuse_text(text, (size_t)length, -ENAMETOOLONG,
		    "\"source.path\" must not be longer than 4095 bytes");

	path[PATH_MAX - 1] = '\0';
	length = snprintf(text, sizeof(text), SOURCE("\"path\":\"%s\""), path);
	assert_int_equal(request_parse(text, (size_t)length, &request, why), 0);
	assert_string_equal(request.path, path);
	request_clear(&request);
}

/* However deep the nesting is, the parser must neither crash nor accept it. */
static void survives_nesting(void **state)
{
	static char text[100000];
	static const char start[] = "{\"owner\":";
	struct request request;
	char why[REQUEST_WHY_LENGTH];

	(void)state;
	memset(text, '[', sizeof(text));
	memcpy(text, start, strlen(start));
	assert_int_equal(request_parse(text, sizeof(text), &request, why), -EINVAL);
	assert_non_null(strstr(why, "maximum parsing depth reached"));
}

/* A message that is too long ends before the character that does not fit, in "...". */
static void cuts_messages(void **state)
{
	static const char start[] = "\"source.path\" must be absolute: \"";

	(void)state;
	for (size_t before = 0; before < 8; before++) {
		char text[4096], expected[REQUEST_WHY_LENGTH];
		size_t used = strlen(start) + before;
		int length = snprintf(text, sizeof(text), "{\"source\":{\"path\":\"%.*s",
				      (int)before, "aaaaaaaa");

		strcpy(expected, start);
		memset(expected + strlen(start), 'a', before);
		for (int i = 0; i < 500; i++)
			length += snprintf(text + length, sizeof(text) - (size_t)length, "\u20ac");
		snprintf(text + length, sizeof(text) - (size_t)length, "\"}}");
		for (; used + strlen("\u20ac") + strlen("...") < REQUEST_WHY_LENGTH; used += 3)
			memcpy(expected + used, "\u20ac", 3);
		strcpy(expected + used, "...");
		refuse_text(text, strlen(text), -EINVAL, expected);
	}
}

/* A message that fits to the last byte is left whole. */
static void keeps_messages_that_fit(void **state)
{
	static const char start[] = "\"source.path\" must be absolute: \"";

	(void)state;
	for (size_t more = 0; more < 2; more++) {
		char text[1024], path[REQUEST_WHY_LENGTH], expected[2 * REQUEST_WHY_LENGTH];
		size_t length = REQUEST_WHY_LENGTH - 1 - strlen(start) - 1 + more;

		memset(path, 'a', length);
		path[length] = '\0';
		snprintf(text, sizeof(text), "{\"source\":{\"path\":\"%s\"}}", path);
		snprintf(expected, sizeof(expected), "%s%s\"", start, path);
		if (more)
			strcpy(expected + REQUEST_WHY_LENGTH - 4, "...");
		refuse_text(text, strlen(text), -EINVAL, expected);
	}
}

static void takes_a_descriptor(void **state)
{
	static const struct {
		const char *text, *why; /* NULL: accepted */
	} cases[] = {
		{"{}", NULL},
		{"{\"source\":{\"offset\":4096}}", NULL},
		{"{\"source\":{\"type\":\"devdax\",\"offset\":4096}}", NULL},
		{"{\"source\":{\"path\":\"/a\"}}",
		 "\"source.path\" must not be given where the source came as a descriptor"},
		{"{\"source\":{\"path\":null}}",
		 "\"source.path\" must not be given where the source came as a descriptor"},
		{"{\"source\":{\"path_encoding\":\"escaped\"}}",
		 "\"source.path_encoding\" must not be given where the source came as a "
		 "descriptor"},
		{"{\"source\":{\"allocate\":true}}",
		 "\"source.allocate\" must not be given where the source came as a descriptor"},
		{"{\"source\":{\"type\":\"anonymous\",\"size\":4096}}",
		 "\"source.type\" must not be anonymous where the source came as a descriptor"},
		{"{\"lenght\":1}", "unknown key \"lenght\""},
		{"[]", "a request must be a JSON object"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct request request = {.offset = 77};
		char why[REQUEST_WHY_LENGTH] = "";
		json_t *json = json_loads(cases[i].text, 0, NULL);
		int error = request_from_json(json, true, &request, why);

		json_decref(json);
		if (cases[i].why != NULL) {
			check_refused(error, cases[i].text, strlen(cases[i].text), -EINVAL,
				      cases[i].why, &request, why);
			continue;
		}
		assert_int_equal(error, 0);
		assert_null(request.path);
		assert_false(request.anonymous);
		assert_int_equal(request.offset, strstr(cases[i].text, "4096") ? 4096 : 0);
		request_clear(&request);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scan_finds_the_end),
		cmocka_unit_test(scan_refuses_nul),
		cmocka_unit_test(scan_limits_depth),
		cmocka_unit_test(scan_limits_size),
		cmocka_unit_test(understands),
		cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_a_deleted_source),
		cmocka_unit_test(refuses_nul),
		cmocka_unit_test(limits_the_path),
		cmocka_unit_test(survives_nesting),
		cmocka_unit_test(cuts_messages),
		cmocka_unit_test(keeps_messages_that_fit),
		cmocka_unit_test(takes_a_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
