/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_source_path.c - the path of a mapped file leads to it, or there is none
 */
#include "source_path_helper.h"

int __real_statx(int fd, const char *path, int flags, unsigned mask, struct statx *answer);
int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *answer);

int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *answer)
{
	if (!shut_down)
		return __real_statx(fd, path, flags, mask, answer);
	errno = EIO;
	return -1;
}

static void the_name_as_it_is_now(void **state)
{
	(void)state;
	map_new(at("file"));
	expect_path(at("file"));
	assert_int_equal(rename(at("file"), at("moved")), 0);
	expect_path(at("moved"));
	assert_int_equal(mkdir(at("folder"), 0700) | rename(at("moved"), at("folder/file")), 0);
	expect_path(at("folder/file"));
	assert_int_equal(rename(at("folder"), at("other")), 0);
	expect_path(at("other/file"));
	assert_int_equal(symlink("other", at("folder")), 0);
	expect_path(at("other/file"));
}

static void any_bytes_are_a_name(void **state)
{
	static const char *const names[] = {"a\nb", "\\012", "\xff\xfe", " ", "(deleted)"};

	(void)state;
	map_new(at("file"));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_int_equal(rename(at("file"), at(names[i])), 0);
		expect_path(at(names[i]));
		assert_int_equal(rename(at(names[i]), at("file")), 0);
	}
}

/* Names like that, existing and removed. */
static void names_like_the_mark(void **state)
{
	static const char *const names[] = {"x (deleted)", "x (deleted) (deleted)", " (deleted)",
					    "y (deleted)/x", "y (deleted)/x (deleted)"};

	(void)state;
	assert_int_equal(mkdir(at("y (deleted)"), 0700), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		map_new(at(names[i]));
		expect_path(at(names[i]));
		assert_int_equal(unlink(at(names[i])), 0);
		expect_removed(at(names[i]));
		assert_int_equal(munmap(memory, LENGTH), 0);
	}
	memory = MAP_FAILED;
}

static void a_removed_name(void **state)
{
	(void)state;
	map_new(at("file"));
	assert_int_equal(unlink(at("file")), 0);
	expect_removed(at("file"));
	new_file(at("file"));
	expect_removed(at("file"));
	new_file(at("file (deleted)"));
	expect_removed(at("file"));
}

static void a_name_that_was_replaced(void **state)
{
	(void)state;
	map_new(at("file"));
	new_file(at("new"));
	assert_int_equal(rename(at("new"), at("file")), 0);
	expect_removed(at("file"));
}

static void the_folders_were_removed_too(void **state)
{
	(void)state;
	assert_int_equal(mkdir(at("a"), 0700) | mkdir(at("a/b"), 0700), 0);
	map_new(at("a/b/file"));
	assert_int_equal(link(at("a/b/file"), at("link")), 0);
	assert_int_equal(unlink(at("a/b/file")) | rmdir(at("a/b")) | rmdir(at("a")), 0);
	expect_removed(at("a/b/file"));
	assert_int_equal(symlink("link", at("a")), 0);
	expect_removed(at("a/b/file"));
	assert_int_equal(unlink(at("link")), 0);
	expect_removed(at("a/b/file"));
}

/* It can still be found out which file is at a path, but nothing else of it. */
static void a_file_system_that_was_shut_down(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	new_file(at("link"));
	map_new(at("file"));
	shut_down = true;
	expect_path(at("file"));
	assert_int_equal(rename(at("file"), at("moved")), 0);
	expect_path(at("moved"));
	assert_int_equal(unlink(at("moved")), 0);
	expect_none();
	assert_int_equal(rename(at("link"), at("moved")), 0);
	expect_none();
	shut_down = false;
}

static void no_area_no_path(void **state)
{
	(void)state;
	map_new(at("file"));
	assert_int_equal(munmap(memory, LENGTH), 0);
	expect_none();
	memory = MAP_FAILED;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_name_as_it_is_now),
		TEST(any_bytes_are_a_name),
		TEST(names_like_the_mark),
		TEST(a_removed_name),
		TEST(a_name_that_was_replaced),
		TEST(the_folders_were_removed_too),
		TEST(a_file_system_that_was_shut_down),
		TEST(no_area_no_path),
	};

	if (!own_mounts())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
