/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_entry_name.c - the names of entries for mappings of other processes
 */
#include "protocol/entry_name.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void says(const char *comm, const char *label, const char *expected)
{
	char name[ENTRY_NAME_SIZE];

	entry_name_of_label(name, comm, 812, (const uint8_t *)label, strlen(label));
	assert_string_equal(name, expected);
}

static void keeps_what_is_harmless(void **state)
{
	(void)state;
	says("redis", "cache", "redis.812.cache");
	says("db-2:main", "a b.c\\d", "db-2:main.812.a b.c\\d");
	says("r\xc3\xa9", "caf\xc3\xa9 \xf0\x9f\x98\x80", "r__.812.caf\xc3\xa9 \xf0\x9f\x98\x80");
}

/* A comm with a dot could make PID and LABEL look like another process's. */
static void replaces_what_is_not(void **state)
{
	(void)state;
	says("postgres.7", "wal", "postgres_7.812.wal");
	says("", "x", "_.812.x");
	says("-rf", "x", "_rf.812.x");
	says(".x", "../..", "_x.812..._..");
	says("a/b c\n", "1\n2\x1b[31m\x7f/", "a_b_c_.812.1_2_[31m__");
	says("x",
	     "\xc2\x9b"
	     "31m\xff\xe2\x82",
	     "x.812.__31m___");
}

static void cuts_what_is_too_long(void **state)
{
	uint8_t label[300];
	char name[ENTRY_NAME_SIZE];

	(void)state;
	memset(label, 'l', sizeof(label));
	entry_name_of_label(name, "a_name_that_never_ends", 812, label, sizeof(label));
	assert_int_equal(strlen(name), ENTRY_NAME_SIZE - 1);
	assert_memory_equal(name, "a_name_that_neve.812.lll", 24);
	/* A name is not cut in the middle of a character. */
	for (size_t i = 0; i + 1 < sizeof(label); i += 2)
		memcpy(label + i, "\xc3\xa9", 2);
	entry_name_of_label(name, "c", 812, label, sizeof(label));
	assert_int_equal(strlen(name), ENTRY_NAME_SIZE - 2);
	entry_name_of_label(name, "co", 812, label, 255);
	assert_int_equal(strlen(name), ENTRY_NAME_SIZE - 1);
}

static void names_addresses(void **state)
{
	char name[ENTRY_NAME_SIZE];

	(void)state;
	entry_name_of_address(name, "redis", 812, 0x7f0012345000, 0);
	assert_string_equal(name, "redis.812.0x7f0012345000");
	entry_name_of_address(name, "redis", 812, 0x7f0012345000, 17);
	assert_string_equal(name, "redis.812.0x7f0012345000.17");
	entry_name_of_address(name, "a_name_that_never_ends", 4194304, UINT64_MAX, UINT64_MAX);
	assert_true(strlen(name) < ENTRY_NAME_SIZE);
}

static void finds_the_process(void **state)
{
	static const char *const others[] = {
		"log",  "a.b",      "a.",      ".1.x",   "a.0.x",
		"a.1",  "a.-1.x",   "a. 1.x",  "a.01.x", "a.99999999999.x",
		"a.1x", "a.1x.b.c", "a.b.1.x",
	};
	pid_t pid = 0;

	(void)state;
	assert_true(entry_name_pid("redis.812.cache", &pid));
	assert_int_equal(pid, 812);
	assert_true(entry_name_pid("x.4194304.0x7f00.2", &pid));
	assert_int_equal(pid, 4194304);
	assert_true(entry_name_pid("x.1.", &pid));
	assert_int_equal(pid, 1);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_false(entry_name_pid(others[i], &pid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_is_harmless), cmocka_unit_test(replaces_what_is_not),
		cmocka_unit_test(cuts_what_is_too_long),  cmocka_unit_test(names_addresses),
		cmocka_unit_test(finds_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
