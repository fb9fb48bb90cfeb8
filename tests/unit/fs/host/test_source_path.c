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

/* The file has another name, which cannot be found. */
static void a_removed_name_of_several(void **state)
{
	(void)state;
	map_new(at("file"));
	assert_int_equal(link(at("file"), at("link")), 0);
	expect_path(at("file"));
	assert_int_equal(unlink(at("file")), 0);
	expect_removed(at("file"));
	/* Another file has the name that the kernel shows. */
	new_file(at("file (deleted)"));
	expect_removed(at("file"));
	/* The file itself has the marked name. */
	assert_int_equal(rename(at("link"), at("file (deleted)")), 0);
	expect_path(at("file (deleted)"));
	/* The file gets its name back. */
	assert_int_equal(rename(at("file (deleted)"), at("file")), 0);
	expect_path(at("file"));
}

static void the_longest_name(void **state)
{
	char name[256];

	(void)state;
	memset(name, 'x', 255);
	name[255] = '\0';
	map_new(at(name));
	expect_path(at(name));
	assert_int_equal(link(at(name), at("link")), 0);
	assert_int_equal(unlink(at(name)), 0);
	expect_removed(at(name));
}

static void a_path_longer_than_any(void **state)
{
	char name[201];
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), next;

	(void)state;
	memset(name, 'x', 200);
	name[200] = '\0';
	for (int i = 0; i < 21; i++) {
		assert_int_equal(mkdirat(fd, name, 0700), 0);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	next = openat(fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(ftruncate(next, LENGTH), 0);
	map_descriptor(next);
	expect_none();
}

static void what_never_had_a_name(void **state)
{
	char self[64];
	int fd = open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, LENGTH), 0);
	map_descriptor(dup(fd));
	expect_none();
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	assert_int_equal(linkat(AT_FDCWD, self, AT_FDCWD, at("file"), AT_SYMLINK_FOLLOW), 0);
	expect_none(); /* the kernel still calls it "#INODE" */
	close(fd);
}

static void memory_is_nowhere(void **state)
{
	int fd = memfd_create("x", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, LENGTH), 0);
	map_descriptor(fd);
	expect_none();
}

static void something_is_mounted_over_it(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(mkdir(at("a"), 0700) | mkdir(at("a/b"), 0700), 0);
	map_new(at("a/b/file"));
	new_file(at("plain"));
	assert_int_equal(mount(at("plain"), at("a/b/file"), NULL, MS_BIND, NULL), 0);
	expect_none();
	assert_int_equal(umount(at("a/b/file")), 0);
	assert_int_equal(mount("over", at("a"), "tmpfs", 0, NULL), 0);
	expect_none();
	assert_int_equal(mkdir(at("a/b"), 0700), 0);
	new_file(at("a/b/file"));
	expect_none();
	assert_int_equal(umount(at("a")), 0);
	expect_path(at("a/b/file"));
}

/* What looks like the mark may be part of the hidden name. */
static void something_is_mounted_over_a_name_like_the_mark(void **state)
{
	const char *name = at("a/b/x (deleted)");

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(mkdir(at("a"), 0700) | mkdir(at("a/b"), 0700), 0);
	map_new(name);
	assert_int_equal(link(name, at("link")), 0);
	new_file(at("plain"));
	assert_int_equal(mount(at("plain"), name, NULL, MS_BIND, NULL), 0);
	expect_none();
	assert_int_equal(umount(name), 0);
	assert_int_equal(mount("over", at("a"), "tmpfs", 0, NULL), 0);
	expect_none();
	assert_int_equal(mkdir(at("a/b"), 0700), 0);
	expect_none();
	new_file(at("a/b/x"));
	expect_none();
	assert_int_equal(umount(at("a")), 0);
	expect_path(name);
}

static void its_mount_is_out_of_reach(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	map_new(at("f"));
	assert_int_equal(umount2(folder, MNT_DETACH), 0);
	expect_none(); /* and not "/f" */
}

static void removed_on_a_mount_out_of_reach(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	map_new(at("f"));
	assert_int_equal(link(at("f"), at("link")) | unlink(at("f")), 0);
	expect_removed(at("f"));
	assert_int_equal(umount2(folder, MNT_DETACH), 0);
	expect_none();
}

static void unlinked_on_a_mount_out_of_reach(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	map_new(at("f"));
	assert_int_equal(unlink(at("f")), 0);
	assert_int_equal(umount2(folder, MNT_DETACH), 0);
	expect_none();
}

static void by_the_mount_that_it_was_opened_on(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(mkdir(at("a"), 0700) | mkdir(at("b"), 0700), 0);
	new_file(at("a/file"));
	assert_int_equal(mount(at("a"), at("b"), NULL, MS_BIND, NULL), 0);
	map(at("b/file"));
	expect_path(at("b/file"));
	assert_int_equal(umount2(at("b"), MNT_DETACH), 0);
	expect_none(); /* its path is "/file" now */
}

/* A bind mount, as in /dev of a container, leads to the file although its name was removed. */
static void a_mounted_file_that_was_unlinked(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	new_file(at("file"));
	new_file(at("place"));
	assert_int_equal(mount(at("file"), at("place"), NULL, MS_BIND, NULL), 0);
	map(at("place"));
	expect_path(at("place"));
	assert_int_equal(unlink(at("file")), 0);
	expect_path(at("place"));
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
		TEST(a_removed_name_of_several),
		TEST(the_longest_name),
		TEST(a_path_longer_than_any),
		TEST(what_never_had_a_name),
		TEST(memory_is_nowhere),
		TEST(something_is_mounted_over_it),
		TEST(something_is_mounted_over_a_name_like_the_mark),
		TEST(its_mount_is_out_of_reach),
		TEST(removed_on_a_mount_out_of_reach),
		TEST(unlinked_on_a_mount_out_of_reach),
		TEST(by_the_mount_that_it_was_opened_on),
		TEST(a_mounted_file_that_was_unlinked),
		TEST(a_file_system_that_was_shut_down),
		TEST(no_area_no_path),
	};

	if (!own_mounts())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
