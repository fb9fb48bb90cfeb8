/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_source_path_elsewhere.c - the paths of files that processes with other mounts, or another
 * root directory, have mapped
 */
#include "source_path_helper.h"

/* Runs in a child until the test kills it. */
static void map_elsewhere(const char *path, int ready)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, LENGTH) || statx(fd, "", AT_EMPTY_PATH, STATX_INO, &mapped))
		_exit(1);
	memory = mmap(NULL, LENGTH, PROT_READ, MAP_SHARED, fd, 0);
	if (memory != MAP_FAILED && write(ready, &memory, sizeof(memory)) == sizeof(memory) &&
	    write(ready, &mapped, sizeof(mapped)) == sizeof(mapped))
		pause();
	_exit(1);
}

static void expect_elsewhere(void (*child)(int ready), const char *wanted, bool deleted)
{
	int ready[2];
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		child(ready[1]);
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &memory, sizeof(memory)), sizeof(memory));
	assert_int_equal(read(ready[0], &mapped, sizeof(mapped)), sizeof(mapped));
	close(ready[0]);
	expect_of(pid, wanted, deleted);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	memory = MAP_FAILED;
}

static void in_other_mounts(int ready)
{
	if (!unshare(CLONE_NEWNS) && !mount("other", folder, "tmpfs", 0, NULL))
		map_elsewhere(at("file"), ready);
}

static void in_copied_mounts(int ready)
{
	if (!unshare(CLONE_NEWNS))
		map_elsewhere(at("file"), ready);
}

static void in_another_root(int ready)
{
	if (!chroot(folder) && !chdir("/"))
		map_elsewhere("/file", ready);
}

static void another_namespace_has_other_files(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	new_file(at("file"));
	expect_elsewhere(in_other_mounts, NULL, false);
}

/* The kernel's paths of mounts in other namespaces begin at the root of these, not at that of a
 * chroot. */
static bool is_chroot(void)
{
	struct stat ours, first;

	return stat("/", &ours) || stat("/proc/1/root", &first) || ours.st_dev != first.st_dev ||
	       ours.st_ino != first.st_ino;
}

static void another_namespace_may_have_the_same(void **state)
{
	(void)state;
	if (geteuid() || is_chroot())
		skip();
	new_file(at("file"));
	expect_elsewhere(in_copied_mounts, at("file"), false);
}

static void by_our_root_directory(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	expect_elsewhere(in_another_root, at("file"), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(another_namespace_has_other_files),
		TEST(another_namespace_may_have_the_same),
		TEST(by_our_root_directory),
	};

	if (!own_mounts())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
