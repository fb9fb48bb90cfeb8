/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_mountinfo.c - finding the mount of a file
 *
 * As root in a mount namespace of its own, with mounts whose names need escapes.
 */
#include "mount/mountinfo.h"
#include "mount/where.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/mountinfo-XXXXXX";
static bool private;

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	private = !unshare(CLONE_NEWNS) && !mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL);
	return 0;
}

static int end(void **state)
{
	(void)state;
	rmdir(folder);
	return 0;
}

static void finds_the_root(void **state)
{
	struct mount_line by_target, by_id;
	struct stat st;
	int fd = open("/", O_PATH | O_DIRECTORY), id = mountinfo_id_of(fd);

	(void)state;
	assert_true(id > 0);
	assert_int_equal(mountinfo_by_id(0, id, &by_id), 0);
	assert_int_equal(by_id.id, id);
	assert_string_equal(by_id.target, "/");
	assert_int_equal(mountinfo_by_target(0, "/", &by_target), 0);
	assert_int_equal(by_target.id, id);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(by_id.dev, st.st_dev);
	close(fd);
}

static void the_type_is_the_kernels(void **state)
{
	struct mount_line line;

	(void)state;
	assert_int_equal(mountinfo_by_target(0, "/proc", &line), 0);
	assert_string_equal(line.type, "proc");
	assert_int_equal(mountinfo_by_target(getpid(), "/proc", &line), 0);
	assert_string_equal(line.type, "proc");
}

static void what_is_not_there(void **state)
{
	struct mount_line line = {.id = 123};

	(void)state;
	assert_int_equal(mountinfo_by_target(0, "/nowhere", &line), -ENOENT);
	assert_int_equal(mountinfo_by_target(0, "", &line), -ENOENT);
	assert_int_equal(mountinfo_by_id(0, 0x7ffffff0, &line), -ENOENT);
	assert_int_equal(line.id, 123);
	assert_true(mountinfo_id_of(-1) < 0);
	assert_true(mountinfo_id_of(987654) < 0);
}

static void no_such_process(void **state)
{
	struct mount_line line;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	assert_true(mountinfo_by_target(pid, "/", &line) < 0);
}

/* A memfd is on an internal mount of the kernel, which mountinfo does not list. */
static void a_hidden_mount_is_not_found(void **state)
{
	struct mount_line line;
	int fd = memfd_create("x", MFD_CLOEXEC), id = mountinfo_id_of(fd);

	(void)state;
	assert_true(id >= 0);
	assert_int_equal(mountinfo_by_id(0, id, &line), -ENOENT);
	close(fd);
}

static void undoes_escapes_and_sees_the_top(void **state)
{
	static const char *const names[] = {"a b", "t\tn\n", "back\\slash", "\\040", " - x", "#"};
	struct mount_line first, line;
	char path[128];

	(void)state;
	if (!private)
		skip();
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		assert_int_equal(mkdir(path, 0700), 0);
		assert_int_equal(mount("a - b", path, "tmpfs", 0, "size=4k"), 0);
		assert_int_equal(mountinfo_by_target(0, path, &first), 0);
		assert_string_equal(first.target, path);
		assert_string_equal(first.type, "tmpfs");
		assert_int_equal(mount("over", path, "ramfs", 0, NULL), 0);
		assert_int_equal(mountinfo_by_target(0, path, &line), 0);
		assert_string_equal(line.type, "ramfs");
		assert_int_not_equal(line.id, first.id);
		assert_int_equal(mountinfo_by_id(0, first.id, &line), 0);
		assert_string_equal(line.type, "tmpfs");
		umount(path);
		umount(path);
		assert_int_equal(mountinfo_by_target(0, path, &line), -ENOENT);
		rmdir(path);
	}
}

/* In the list each blank takes four bytes: the escaped path is longer than any path can be. */
static void a_long_target_is_whole(void **state)
{
	struct mount_line line;
	char path[2048];

	(void)state;
	if (!private)
		skip();
	strcpy(path, folder);
	for (int depth = 0; depth < 8; depth++) {
		snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%200s", "");
		assert_int_equal(mkdir(path, 0700), 0);
	}
	assert_int_equal(mount("", path, "tmpfs", 0, "size=4k"), 0);
	assert_int_equal(mountinfo_by_target(0, path, &line), 0);
	assert_string_equal(line.target, path);
	assert_string_equal(line.type, "tmpfs");
	assert_false(line.owned);
	assert_int_equal(umount(path), 0);
	for (; strlen(path) > strlen(folder); *strrchr(path, '/') = '\0')
		assert_int_equal(rmdir(path), 0);
}

/* The name of the source is not taken for an option. */
static void fuse_has_an_owner(void **state)
{
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	struct mount_line line;
	char options[128];

	(void)state;
	if (!private || fuse < 0)
		skip();
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=12,group_id=4294967294",
		 fuse);
	assert_int_equal(mount("x,user_id=7,group_id=7", folder, "fuse.some", 0, options), 0);
	assert_int_equal(mountinfo_by_target(0, folder, &line), 0);
	assert_string_equal(line.type, "fuse.some");
	assert_true(line.owned);
	assert_int_equal(line.uid, 12);
	assert_int_equal(line.gid, 4294967294);
	umount(folder);
	close(fuse);
}

static dev_t mount_tmpfs(const char *path)
{
	struct stat st;

	assert_int_equal(mount("none", path, "tmpfs", 0, "size=64k"), 0);
	assert_int_equal(stat(path, &st), 0);
	return st.st_dev;
}

static void expect_where(dev_t dev, const char *usual, const char *expected)
{
	char *path;

	assert_int_equal(mount_where(dev, usual, &path), 0);
	if (expected)
		assert_string_equal(path, expected);
	else
		assert_null(path);
	free(path);
}

static void tells_where_it_can_be_found(void **state)
{
	char a[64], b[64], below[80];
	dev_t dev;

	(void)state;
	if (!private)
		skip();
	snprintf(a, sizeof(a), "%s/a", folder);
	snprintf(b, sizeof(b), "%s/b", folder);
	snprintf(below, sizeof(below), "%s/below", a);
	assert_int_equal(mkdir(a, 0700) | mkdir(b, 0700), 0);
	dev = mount_tmpfs(a);
	expect_where(dev, a, a);
	expect_where(dev, b, a);
	expect_where(dev + 1000, a, NULL);
	mount_tmpfs(a); /* over it */
	expect_where(dev, a, NULL);
	umount(a);
	mount_tmpfs(folder); /* over a folder on the way */
	expect_where(dev, a, NULL);
	umount(folder);
	expect_where(dev, a, a);

	assert_int_equal(mount(a, b, NULL, MS_BIND, NULL), 0);
	expect_where(dev, a, a);
	expect_where(dev, b, b);
	mount_tmpfs(a);
	expect_where(dev, a, b);
	umount(a);
	umount(b);
	assert_int_equal(mount(a, b, NULL, MS_MOVE, NULL), 0);
	expect_where(dev, a, b);
	assert_int_equal(mount(b, a, NULL, MS_MOVE, NULL), 0);

	assert_int_equal(mkdir(below, 0700), 0);
	assert_int_equal(mount(below, b, NULL, MS_BIND, NULL),
			 0); /* a bind mount of a folder of it does not count */
	expect_where(dev, b, a);
	mount_tmpfs(below); /* below it, not over it */
	expect_where(dev, a, a);
	umount(below);
	umount(b);
	dev = mount_tmpfs(below); /* on a mount that is then covered by another one */
	expect_where(dev, a, below);
	mount_tmpfs(a);
	expect_where(dev, a, NULL);
	umount(a);
	umount(below);
	umount(a);
	expect_where(dev, a, NULL);
	rmdir(a);
	rmdir(b);
}

/* The folders above a mount point may be renamed until no system call takes its path. */
static void no_path_is_too_long(void **state)
{
	char inner[64], outer[600] = "", deep[4000] = "", moved[608];
	dev_t dev;

	(void)state;
	if (!private)
		skip();
	snprintf(inner, sizeof(inner), "%s/inner", folder);
	strcpy(deep, inner);
	assert_int_equal(mkdir(deep, 0700), 0);
	while (strlen(deep) < 3600) {
		snprintf(deep + strlen(deep), sizeof(deep) - strlen(deep), "/%0200d", 0);
		assert_int_equal(mkdir(deep, 0700), 0);
	}
	strcpy(outer, folder);
	for (int i = 0; i < 2; i++) {
		snprintf(outer + strlen(outer), sizeof(outer) - strlen(outer), "/%0240d", 1);
		assert_int_equal(mkdir(outer, 0700), 0);
	}
	snprintf(moved, sizeof(moved), "%s/inner", outer);
	dev = mount_tmpfs(deep);
	expect_where(dev, deep, deep);
	assert_int_equal(rename(inner, moved), 0);
	expect_where(dev, deep, NULL);
	assert_int_equal(rename(moved, inner), 0);
	assert_int_equal(umount(deep), 0);
	for (; strlen(deep) > strlen(folder); *strrchr(deep, '/') = '\0')
		assert_int_equal(rmdir(deep), 0);
	for (; strlen(outer) > strlen(folder); *strrchr(outer, '/') = '\0')
		assert_int_equal(rmdir(outer), 0);
}

/* For another process, the mounts of its own mount namespace are read. */
static void other_namespaces_are_others(void **state)
{
	int go[2], come[2];
	struct mount_line line;
	char byte;
	pid_t pid;

	(void)state;
	if (!private)
		skip();
	assert_int_equal(pipe(go) | pipe(come), 0);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNS) || mount("mine", folder, "tmpfs", 0, NULL))
			_exit(1);
		_exit(write(come[1], "", 1) != 1 || read(go[0], &byte, 1) != 1);
	}
	assert_int_equal(read(come[0], &byte, 1), 1);
	assert_int_equal(mountinfo_by_target(pid, folder, &line), 0);
	assert_int_equal(mountinfo_by_target(0, folder, &line), -ENOENT);
	assert_int_equal(write(go[1], "", 1), 1);
	waitpid(pid, NULL, 0);
	close(go[0]), close(go[1]), close(come[0]), close(come[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_root),
		cmocka_unit_test(the_type_is_the_kernels),
		cmocka_unit_test(what_is_not_there),
		cmocka_unit_test(no_such_process),
		cmocka_unit_test(a_hidden_mount_is_not_found),
		cmocka_unit_test(undoes_escapes_and_sees_the_top),
		cmocka_unit_test(a_long_target_is_whole),
		cmocka_unit_test(fuse_has_an_owner),
		cmocka_unit_test(tells_where_it_can_be_found),
		cmocka_unit_test(no_path_is_too_long),
		cmocka_unit_test(other_namespaces_are_others),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
