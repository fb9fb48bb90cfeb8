/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_quick_opener.c - what is opened without a thread, and what is left to one
 *
 * With root, each path is opened as an ordinary user; without, as the test's user.
 */
#include "host/quick_opener.h"
#include <fcntl.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#define USER 12345

static char folder[40], path[64];
static struct identity caller;
static struct quick_opener *opener;

static int begin(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/quick-opener-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	caller.uid = geteuid() ? geteuid() : USER;
	caller.gid = caller.uid;
	snprintf(path, sizeof(path), "%s/file", folder);
	opener = quick_opener_new();
	return opener ? chmod(folder, 0755) : -1;
}

static int end(void **state)
{
	(void)state;
	quick_opener_free(opener);
	unlink(path);
	return rmdir(folder);
}

static void new_file(mode_t mode, uid_t owner)
{
	int fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_true(geteuid() || !fchown(fd, owner, owner));
	close(fd);
}

/* The number of the mount of /tmp; the test is skipped where that is on a disk. */
static int mount_of_file(void)
{
	int fd = open(path, O_RDONLY), mount;
	struct statfs fs;

	assert_true(fd >= 0);
	assert_int_equal(fstatfs(fd, &fs), 0);
	mount = quick_opener_find_mount(fd);
	close(fd);
	if (fs.f_type != TMPFS_MAGIC)
		skip();
	assert_true(mount >= 0);
	return mount;
}

static void learn_mount(void)
{
	quick_opener_learn(opener, mount_of_file(), quick_opener_mounts(opener));
}

/* Opens `what`, if that needs no thread. *touched: a descriptor is left to be closed in a thread.
 */
static int try(const char *what, bool write, bool *touched)
{
	int place = -1, fd = quick_opener_open(opener, &caller, what, write, &place);

	*touched = place >= 0;
	if (place >= 0)
		close(place);
	return fd;
}

static void expect_left_to_a_thread(const char *what, bool expected)
{
	bool touched;

	assert_int_equal(try(what, true, &touched), -1);
	assert_int_equal(touched, expected);
}

static void opens_a_file_on_a_known_mount(void **state)
{
	struct stat named, opened;
	bool touched;
	int fd, lowest;

	(void)state;
	new_file(0600, caller.uid);
	learn_mount();
	lowest = dup(0);
	close(lowest);
	for (int write = 0; write < 2; write++) {
		fd = try(path, write, &touched);
		assert_true(fd >= 0);
		assert_false(touched);
		assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, write ? O_RDWR : O_RDONLY);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(fstat(fd, &opened) | stat(path, &named), 0);
		assert_int_equal(opened.st_ino, named.st_ino);
		close(fd);
	}
	fd = dup(0);
	assert_int_equal(fd, lowest); /* nothing else is open */
	close(fd);
}

static void an_unknown_mount_is_left_to_a_thread(void **state)
{
	(void)state;
	new_file(0600, caller.uid);
	expect_left_to_a_thread(path, false); /* none is known: it is not even looked for */
	quick_opener_learn(opener, mount_of_file() + 1000000, quick_opener_mounts(opener));
	expect_left_to_a_thread(path, true);
}

/* The number of a mount that has gone may be given to another one. */
static void what_was_known_ends_with_a_change_of_mounts(void **state)
{
	char target[64];
	uint64_t mounts;
	bool touched;
	int fd;

	(void)state;
	if (geteuid())
		skip();
	new_file(0600, caller.uid);
	learn_mount();
	fd = try(path, true, &touched);
	assert_true(fd >= 0);
	close(fd);
	mounts = quick_opener_mounts(opener);
	assert_int_equal(quick_opener_mounts(opener), mounts);
	snprintf(target, sizeof(target), "%s/mount", folder);
	assert_int_equal(mkdir(target, 0700), 0);
	assert_int_equal(mount("tmpfs", target, "tmpfs", 0, NULL), 0);
	/* What was found out before the change is too old, also when it comes later. */
	quick_opener_learn(opener, mount_of_file(), mounts);
	expect_left_to_a_thread(path, false);
	assert_int_not_equal(quick_opener_mounts(opener), mounts);
	learn_mount();
	fd = try(path, true, &touched);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(umount(target), 0);
	expect_left_to_a_thread(path, true);
	assert_int_equal(rmdir(target), 0);
}

static void other_peoples_files_are_left_to_a_thread(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	new_file(0666, USER + 1); /* an access control list might have to be read */
	learn_mount();
	expect_left_to_a_thread(path, true);
}

static void what_cannot_be_opened_is_left_to_a_thread(void **state)
{
	char link[64], nowhere[64];

	(void)state;
	new_file(0400, caller.uid);
	learn_mount();
	snprintf(nowhere, sizeof(nowhere), "%s/nowhere", folder);
	expect_left_to_a_thread(nowhere, false);
	expect_left_to_a_thread(folder, true);
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(symlink("file", link), 0);
	expect_left_to_a_thread(link, false);
	unlink(link);
	expect_left_to_a_thread("/proc/self/exe", false);
	caller.refused = "for a reason";
	expect_left_to_a_thread(path, false);
	caller.refused = NULL;
	if (geteuid() || caller.uid)
		expect_left_to_a_thread(path, true); /* for writing */
}

static void only_file_systems_in_memory_are_quick(void **state)
{
	int fd = open("/proc/self/status", O_RDONLY);

	(void)state;
	new_file(0600, caller.uid);
	assert_int_equal(quick_opener_find_mount(fd), -1);
	close(fd);
}

/* The latest of many are known. */
static void many_mounts_are_known(void **state)
{
	bool touched;
	int mount, fd;

	(void)state;
	new_file(0600, caller.uid);
	mount = mount_of_file();
	for (int i = 1000; i > 0; i--)
		quick_opener_learn(opener, mount + i, quick_opener_mounts(opener));
	expect_left_to_a_thread(path, true);
	learn_mount();
	fd = try(path, true, &touched);
	assert_true(fd >= 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(opens_a_file_on_a_known_mount, begin, end),
		cmocka_unit_test_setup_teardown(an_unknown_mount_is_left_to_a_thread, begin, end),
		cmocka_unit_test_setup_teardown(what_was_known_ends_with_a_change_of_mounts, begin,
						end),
		cmocka_unit_test_setup_teardown(other_peoples_files_are_left_to_a_thread, begin,
						end),
		cmocka_unit_test_setup_teardown(what_cannot_be_opened_is_left_to_a_thread, begin,
						end),
		cmocka_unit_test_setup_teardown(only_file_systems_in_memory_are_quick, begin, end),
		cmocka_unit_test_setup_teardown(many_mounts_are_known, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
