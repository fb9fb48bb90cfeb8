/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_ima.c - when files are taken to be read at an open
 */
#include "host/ima.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define COMMAND_LINE "command_line"
#define COUNT        "count"

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static bool reads(const char *command_line, const char *count)
{
	put(COMMAND_LINE, command_line);
	put(COUNT, count);
	return ima_reads_files(COMMAND_LINE, COUNT);
}

static void a_policy_is_noticed(void **state)
{
	(void)state;
	assert_false(reads("BOOT_IMAGE=/vmlinuz root=/dev/vda1 quiet\n", "1\n"));
	assert_true(reads("root=/dev/vda1 ima_policy=tcb quiet\n", "1\n"));
	assert_true(reads("ima_appraise=fix root=/dev/vda1\n", "0\n"));
	assert_false(reads("optima_policy=1 root=/dev/vda1\n", "0\n"));
	assert_true(reads("root=/dev/vda1\n", "2\n"));
	assert_true(reads("root=/dev/vda1\n", "1234\n"));
	assert_false(reads("", ""));
}

static void a_kernel_without_it_reads_nothing(void **state)
{
	(void)state;
	put(COMMAND_LINE, "quiet\n");
	unlink(COUNT);
	assert_false(ima_reads_files(COMMAND_LINE, COUNT));
	unlink(COMMAND_LINE);
	assert_false(ima_reads_files(COMMAND_LINE, COUNT));
}

static int enter_folder(void **state)
{
	static char folder[] = "/tmp/ima.XXXXXX";

	(void)state;
	return mkdtemp(folder) ? chdir(folder) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_is_noticed),
		cmocka_unit_test(a_kernel_without_it_reads_nothing),
	};

	return cmocka_run_group_tests(tests, enter_folder, NULL);
}
