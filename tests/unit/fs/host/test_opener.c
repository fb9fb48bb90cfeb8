/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_opener.c - which paths may be opened, and with whose rights
 *
 * With root, each path is opened as an ordinary user; without, as the test's user.
 */
#include "host/opener.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define USER 12345

static char folder[32], path[64], why[OPENER_WHY_LENGTH];
static struct identity caller;

static int begin(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/opener-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	caller.uid = geteuid() ? geteuid() : USER;
	caller.gid = caller.uid;
	snprintf(path, sizeof(path), "%s/file", folder);
	return chmod(folder, 0755);
}

static int end(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void new_file(mode_t mode, uid_t owner)
{
	int fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);

	assert_int_equal(write(fd, "text", 4), 4);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_true(geteuid() || !fchown(fd, owner, owner));
	close(fd);
}

static int try(const char *what, bool write)
{
	int fd;

	why[0] = '\0';
	fd = opener_open(&caller, what, write, why);
	if (fd < 0)
		assert_string_not_equal(why, "");
	return fd;
}

static void opens_a_regular_file(void **state)
{
	struct stat named, opened;
	int fd;

	(void)state;
	new_file(0600, caller.uid);
	for (int write = 0; write < 2; write++) {
		fd = try(path, write);
		assert_true(fd >= 0);
		assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, write ? O_RDWR : O_RDONLY);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(fstat(fd, &opened) | stat(path, &named), 0);
		assert_int_equal(opened.st_ino, named.st_ino);
		close(fd);
	}
}

static void not_with_rights_that_the_caller_has_not(void **state)
{
	int fd;

	(void)state;
	if (geteuid())
		skip();
	new_file(0600, USER + 1);
	assert_int_equal(try(path, false), -EACCES);
	assert_string_equal(why, strerror(EACCES));
	assert_int_equal(chmod(path, 0604), 0);
	assert_int_equal(try(path, true), -EACCES);
	fd = try(path, false);
	assert_true(fd >= 0);
	close(fd);
	/* Nor through a folder that is closed to it. */
	assert_int_equal(chmod(folder, 0700), 0);
	assert_int_equal(try(path, false), -EACCES);
}

static void a_refused_caller_opens_nothing(void **state)
{
	(void)state;
	new_file(0666, caller.uid);
	caller.refused = "for a reason";
	assert_int_equal(try(path, false), -EACCES);
	assert_string_equal(why, "for a reason");
	caller.refused = NULL;
}

static void follows_plain_links(void **state)
{
	char link[64];
	int fd;

	(void)state;
	new_file(0644, caller.uid);
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(symlink("file", link), 0);
	fd = try(link, false);
	assert_true(fd >= 0);
	close(fd);
	unlink(link);
	assert_int_equal(symlink("link", link), 0);
	assert_int_equal(try(link, false), -ELOOP);
	unlink(link);
}

/* Magic links would lead to files that the daemon has open, past all permissions on the way. */
static void no_magic_links(void **state)
{
	char magic[128], link[64];
	int fd;

	(void)state;
	new_file(0644, caller.uid);
	fd = open(path, O_RDONLY);
	snprintf(magic, sizeof(magic), "/proc/self/fd/%d", fd);
	assert_int_equal(try(magic, false), -ELOOP);
	snprintf(magic, sizeof(magic), "/dev/fd/%d", fd);
	assert_int_equal(try(magic, false), -ELOOP);
	assert_int_equal(try("/proc/self/exe", false), -ELOOP);
	snprintf(magic, sizeof(magic), "/proc/self/root%s", path);
	assert_int_equal(try(magic, false), -ELOOP);
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(symlink(magic, link), 0);
	assert_int_equal(try(link, false), -ELOOP);
	unlink(link);
	close(fd);
}

static void what_is_no_file_is_refused(void **state)
{
	char fifo[64];

	(void)state;
	assert_int_equal(try(folder, false), -EISDIR);
	assert_non_null(strstr(why, "a directory"));
	assert_int_equal(try("/dev/null", true), -EINVAL);
	assert_non_null(strstr(why, "a character device"));
	assert_int_equal(try("/dev/zero", false), -EINVAL);
	snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
	assert_int_equal(mkfifo(fifo, 0666), 0);
	assert_int_equal(try(fifo, true), -EINVAL); /* and does not wait for its other end */
	assert_non_null(strstr(why, "a FIFO"));
	unlink(fifo);
	if (!geteuid() && !mknod(fifo, S_IFBLK | 0666, makedev(7, 250))) {
		assert_int_equal(try(fifo, false), -EINVAL);
		assert_non_null(strstr(why, "a block device"));
		unlink(fifo);
	}
}

static void what_does_not_exist(void **state)
{
	char *longest = malloc(PATH_MAX + 10);

	(void)state;
	assert_int_equal(try("/nowhere/at/all", false), -ENOENT);
	memset(longest, '/', PATH_MAX + 9);
	longest[PATH_MAX + 9] = '\0';
	assert_int_equal(try(longest, false), -ENAMETOOLONG);
	free(longest);
	assert_int_equal(try("/proc/self/status/x", false), -ENOTDIR);
}

static void file_systems_of_the_kernel_are_refused(void **state)
{
	static const char *const paths[] = {"/proc/version", "/proc/self/status",
					    "/sys/kernel/notes"};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		if (access(paths[i], R_OK))
			continue;
		assert_int_equal(try(paths[i], false), -EOPNOTSUPP);
		assert_non_null(strstr(why, i < 2 ? "type proc" : "type sysfs"));
	}
}

static void ways_that_may_hang(void **state)
{
	(void)state;
	assert_true(opener_way_is_safe(folder));
	assert_true(opener_way_is_safe("/process/self"));
	assert_true(opener_way_is_safe("/"));
	assert_false(opener_way_is_safe("/proc"));
	assert_false(opener_way_is_safe("/proc/self/root/tmp"));
}

static int allocated(const struct identity *identity, uint64_t offset, uint64_t length,
		     blkcnt_t blocks)
{
	struct stat st;
	int fd, result;

	unlink(path);
	new_file(0600, identity->uid);
	assert_int_equal(truncate(path, 0) | truncate(path, 65536), 0);
	fd = opener_open(identity, path, true, why);
	assert_true(fd >= 0);
	result = opener_allocate(identity, fd, offset, length, why);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 65536);
	assert_int_equal(st.st_blocks, blocks);
	close(fd);
	return result;
}

/* This folder is on a tmpfs, where a page is eight blocks. */
static void allocates_what_is_to_be_mapped(void **state)
{
	const struct identity own = {.uid = geteuid(), .gid = getegid(), .capabilities = ~0ull};

	(void)state;
	assert_int_equal(allocated(&own, 0, 0, 128), 0);
	assert_int_equal(allocated(&own, 8192, 4096, 8), 0);
	assert_int_equal(allocated(&own, 32768, 0, 64), 0);
	assert_int_equal(allocated(&own, 0, 65536, 128), 0);
	/* A range beyond the file, which cannot be mapped either. */
	assert_int_equal(allocated(&own, 0, 65537, 0), 0);
	assert_int_equal(allocated(&own, 65536, 0, 0), 0);
	assert_int_equal(allocated(&own, 4096, UINT64_MAX - 4095, 0), 0);
}

static void memory_and_devices_are_not_allocated(void **state)
{
	const struct identity own = {.uid = geteuid(), .gid = getegid(), .capabilities = ~0ull};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_equal(opener_allocate(&own, null, 0, 4096, why), -EINVAL);
	assert_non_null(strstr(why, "is a device"));
	close(null);
	if (geteuid())
		return;
	assert_int_equal(allocated(&caller, 0, 0, 0), -EPERM);
	assert_non_null(strstr(why, "is in memory"));
}

/* Failures leave nothing open. */
static void leaves_nothing_open(void **state)
{
	int before = dup(0), after;

	(void)state;
	close(before);
	try(folder, false);
	try("/proc/version", false);
	try("/dev/null", false);
	try("/nowhere", false);
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

static void checks_descriptors(void **state)
{
	int ends[2], fd;

	(void)state;
	new_file(0644, caller.uid);
	fd = open(path, O_RDONLY);
	assert_int_equal(opener_check(fd, 0, why), 0);
	unlink(path); /* a file without a name is opened as well */
	assert_int_equal(opener_check(fd, getpid(), why), 0);
	close(fd);
	new_file(0644, caller.uid);
	fd = open(path, O_PATH);
	assert_int_equal(opener_check(fd, 0, why), -EBADF);
	close(fd);
	assert_int_equal(opener_check(fd, 0, why), -EBADF);
	fd = open(folder, O_RDONLY);
	assert_int_equal(opener_check(fd, 0, why), -EISDIR);
	close(fd);
	fd = open("/dev/null", O_RDWR);
	assert_int_equal(opener_check(fd, 0, why), -EINVAL);
	close(fd);
	fd = open("/proc/version", O_RDONLY);
	assert_int_equal(opener_check(fd, 0, why), -EOPNOTSUPP);
	close(fd);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(opener_check(ends[0], 0, why), -EOPNOTSUPP);
	assert_non_null(strstr(why, "no mounted file system"));
	close(ends[0]);
	close(ends[1]);
	fd = memfd_create("x", MFD_CLOEXEC);
	assert_int_equal(opener_check(fd, getpid(), why), -EOPNOTSUPP);
	close(fd);
}

/*
 * Mounts an overlay over a tmpfs at `place` in a mount namespace of its own, and waits until it is
 * killed.
 */
static void hold_overlay(const char *place, int ready)
{
	if (unshare(CLONE_NEWNS) || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", place, "tmpfs", 0, NULL) || chdir(place) || mkdir("lower", 0755) ||
	    mkdir("upper", 0755) || mkdir("work", 0755) || mkdir("merged", 0755) ||
	    close(open("lower/file", O_CREAT | O_WRONLY, 0644)) ||
	    mount("overlay", "merged", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work"))
		_exit(1);
	if (write(ready, "", 1) == 1)
		pause();
	_exit(1);
}

/*
 * The layers of an overlay are not visible, and in a user namespace users may put them on a file
 * system that never answers.
 */
static void what_is_stacked_in_another_namespace_is_refused(void **state)
{
	char place[] = "/tmp/pmem2fs-opener-XXXXXX", reason[OPENER_WHY_LENGTH] = "", name[128],
	     byte;
	int ready[2], plain, stacked, refused, accepted;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(place));
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid)
		hold_overlay(place, ready[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		waitpid(pid, NULL, 0);
		close(ready[0]);
		rmdir(place);
		skip(); /* no overlay here */
	}
	snprintf(name, sizeof(name), "/proc/%d/root%s/lower/file", (int)pid, place);
	plain = open(name, O_RDWR);
	snprintf(name, sizeof(name), "/proc/%d/root%s/merged/file", (int)pid, place);
	stacked = open(name, O_RDONLY);
	accepted = opener_check(plain, pid, reason);
	refused = opener_check(stacked, pid, reason);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(plain);
	close(stacked);
	close(ready[0]);
	rmdir(place);
	assert_int_equal(accepted, 0);
	assert_int_equal(refused, -EOPNOTSUPP);
	assert_non_null(strstr(reason, "overlay"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(opens_a_regular_file, begin, end),
		cmocka_unit_test_setup_teardown(not_with_rights_that_the_caller_has_not, begin,
						end),
		cmocka_unit_test_setup_teardown(a_refused_caller_opens_nothing, begin, end),
		cmocka_unit_test_setup_teardown(follows_plain_links, begin, end),
		cmocka_unit_test_setup_teardown(no_magic_links, begin, end),
		cmocka_unit_test_setup_teardown(what_is_no_file_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(what_does_not_exist, begin, end),
		cmocka_unit_test_setup_teardown(file_systems_of_the_kernel_are_refused, begin, end),
		cmocka_unit_test_setup_teardown(allocates_what_is_to_be_mapped, begin, end),
		cmocka_unit_test_setup_teardown(memory_and_devices_are_not_allocated, begin, end),
		cmocka_unit_test_setup_teardown(ways_that_may_hang, begin, end),
		cmocka_unit_test_setup_teardown(leaves_nothing_open, begin, end),
		cmocka_unit_test_setup_teardown(checks_descriptors, begin, end),
		cmocka_unit_test(what_is_stacked_in_another_namespace_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
