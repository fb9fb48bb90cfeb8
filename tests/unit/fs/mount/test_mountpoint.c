/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_mountpoint.c - all ways to write a path resolve to the same one
 */
#include "mount/mountpoint.h"
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[PATH_MAX];

static int begin(void **state)
{
	char made[] = "/tmp/mountpoint-XXXXXX", *real;

	(void)state;
	real = mkdtemp(made) ? realpath(made, NULL) : NULL;
	if (!real)
		return -1;
	strcpy(folder, real);
	free(real);
	return chdir(folder) || mkdir("a", 0700) || mkdir("a/b c", 0700) || mkdir("x", 0700) ||
	       symlink("a", "relative") || symlink("b c", "a/sibling") ||
	       symlink("../x/", "a/above") || symlink(folder, "absolute") ||
	       symlink("relative/./sibling", "long") || symlink("/", "root") ||
	       symlink("loop", "loop") || symlink("nowhere", "dangling");
}

static int end(void **state)
{
	static const char *const links[] = {"relative", "a/sibling", "a/above", "absolute",
					    "long",     "root",      "loop",    "dangling"};

	(void)state;
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		unlink(links[i]);
	return rmdir("a/b c") || rmdir("a") || rmdir("x") || chdir("/") || rmdir(folder);
}

static void assert_resolves(const char *path, const char *expected)
{
	char *resolved = mountpoint_resolve(path), *real = realpath(path, NULL);

	if (!resolved)
		fail_msg("%s: %s", path, strerror(errno));
	assert_string_equal(resolved, expected);
	assert_non_null(real); /* realpath gives the same, since nothing is mounted here */
	assert_string_equal(resolved, real);
	free(resolved);
	free(real);
}

static void as_realpath_has_it(void **state)
{
	static const struct {
		const char *path, *result; /* within `folder` */
	} cases[] = {
		{"x", "/x"},
		{"x/", "/x"},
		{"x//", "/x"},
		{"x/.", "/x"},
		{"./x/./", "/x"},
		{"a/../x", "/x"},
		{"a/b c/../../x", "/x"},
		{"a/b c", "/a/b c"},
		{".", ""},
		{"x/..", ""},
		{"relative", "/a"},
		{"relative/", "/a"},
		{"relative/b c", "/a/b c"},
		{"relative/..", ""},
		{"a/sibling", "/a/b c"},
		{"long", "/a/b c"},
		{"long/..", "/a"},
		{"a/above", "/x"},
		{"a/above/../relative/above//.", "/x"},
		{"absolute/x", "/x"},
		{"absolute/absolute/a/", "/a"},
	};
	char path[2 * PATH_MAX], expected[2 * PATH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(expected, sizeof(expected), "%s%s", folder, cases[i].result);
		assert_resolves(cases[i].path, expected);
		snprintf(path, sizeof(path), "%s/%s", folder, cases[i].path);
		assert_resolves(path, expected);
		snprintf(path, sizeof(path), "//./%s/%s", folder, cases[i].path);
		assert_resolves(path, expected);
		snprintf(path, sizeof(path), "root%s/%s", folder, cases[i].path);
		assert_resolves(path, expected);
	}
}

static void the_root_directory(void **state)
{
	static const char *const paths[] = {"/",    "//",     "/.", "/..", "/../../tmp/../",
					    "root", "root/.."};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		assert_resolves(paths[i], "/");
	assert_int_equal(chdir("/"), 0);
	assert_resolves(".", "/");
	assert_resolves("tmp", "/tmp");
	assert_int_equal(chdir(folder), 0);
}

static void assert_fails(const char *path, int error)
{
	errno = 0;
	assert_null(mountpoint_resolve(path));
	assert_int_equal(errno, error);
}

static void what_cannot_be_resolved(void **state)
{
	char path[PATH_MAX + 10];

	(void)state;
	assert_fails("", ENOENT);
	assert_fails("nowhere", ENOENT);
	assert_fails("nowhere/..", ENOENT);
	assert_fails("dangling", ENOENT);
	assert_fails("loop", ELOOP);
	memset(path, 'x', sizeof(path));
	path[NAME_MAX + 1] = '\0';
	assert_fails(path, ENAMETOOLONG);
	memset(path, '/', sizeof(path));
	path[PATH_MAX - 1] = '\0';
	assert_resolves(path, "/");
	path[PATH_MAX - 1] = '/';
	path[PATH_MAX] = '\0';
	assert_fails(path, ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_realpath_has_it),
		cmocka_unit_test(the_root_directory),
		cmocka_unit_test(what_cannot_be_resolved),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
