/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_last_references.c - files whose last close takes long
 *
 * It frees a file whose name was removed. The receiver of the file's user makes it, here while it
 * is stopped, so that nobody else can have made it.
 */
#include "helpers.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SIZE (64 << 20)

/* The only process that the worker has started. */
static pid_t receiver_of(const struct fs *fs)
{
	int worker = (int)daemon_worker(&fs->daemon);
	char *children = read_file(format("/proc/%d/task/%d/children", worker, worker), NULL);
	int pid = 0, other;

	assert_non_null(children);
	assert_int_equal(sscanf(children, "%d %d", &pid, &other), 1);
	free(children);
	return pid;
}

/* Starts the receiver of user a, which has nothing to do, and stops it. */
static pid_t stop_receiver(struct fs *fs)
{
	pid_t pid;

	map_source(fs, "keep", make_source(fs, "file", 65536));
	assert_int_equal(write_as(&user_a, entry(fs, "a"), request_of(source(fs, "file"))), 0);
	unmap_as(&user_a, fs, "a");
	pid = receiver_of(fs);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	return pid;
}

/* A large file, with all its blocks. */
static void make_large(struct fs *fs, const char *name)
{
	int fd = open(make_source(fs, name, SIZE), O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(posix_fallocate(fd, 0, SIZE), 0);
	close(fd);
}

static uint64_t free_bytes(const struct fs *fs)
{
	struct statvfs st;

	assert_int_equal(statvfs(fs->dir, &st), 0);
	return (uint64_t)st.f_bfree * st.f_frsize;
}

/* After a time the daemon kills a receiver that is not done. */
static bool is_killed(pid_t receiver)
{
	char *stat = read_file(format("/proc/%d/stat", (int)receiver), NULL);
	bool stopped = stat && strstr(stat, ") T ");

	free(stat);
	return !stopped;
}

static void expect_freed_by_receiver(struct fs *fs, pid_t receiver, uint64_t before)
{
	for (int i = 0; i < 10; i++)
		others_go_on(fs);
	assert_true(free_bytes(fs) < before + SIZE / 2 || is_killed(receiver));
	kill(receiver, SIGCONT);
	WAIT_UNTIL(free_bytes(fs) > before + SIZE / 2);
}

static void rm_leaves_the_last_close_to_the_receiver(struct fs *fs)
{
	pid_t receiver = stop_receiver(fs);
	uint64_t before;

	make_large(fs, "large");
	assert_int_equal(write_as(&user_a, entry(fs, "a"), request_of(source(fs, "large"))), 0);
	assert_int_equal(unlink(source(fs, "large")), 0);
	before = free_bytes(fs);
	unmap_as(&user_a, fs, "a");
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "large")), 0);
	assert_true(log_has(&fs->daemon, "a: unmapped, but its file is not closed yet"));
	expect_freed_by_receiver(fs, receiver, before);
}

static void so_does_the_unmapping_of_the_last_part(struct fs *fs)
{
	const char *ctl = format("%s -s %s", getenv("PMEM2FS_CTL"), fs->daemon.socket);
	pid_t receiver = stop_receiver(fs);
	uint64_t before;

	make_large(fs, "large");
	assert_int_equal(write_as(&user_a, entry(fs, "a"), request_of(source(fs, "large"))), 0);
	assert_int_equal(unlink(source(fs, "large")), 0);
	before = free_bytes(fs);
	assert_int_equal(shell(fs, format("%s unmap --offset 0 --length 4K a", ctl)), 0);
	assert_int_equal(shell(fs, format("%s unmap --timeout 1 --offset 4K --length %d a", ctl,
					  SIZE - 4096)),
			 0);
	assert_true(log_has(&fs->daemon, "a: unmapped, but its file is not closed yet"));
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "large")), 0);
	expect_freed_by_receiver(fs, receiver, before);
	unmap(fs, "a");
}

/* A request that the keeper refuses: the file was open in the daemon alone. */
static void so_does_a_map_that_fails(struct fs *fs)
{
	const char *request =
		format("{\"source\":{\"path\":\"%s\"},\"required_granularity\":\"byte\"}",
		       source(fs, "large"));
	pid_t receiver = stop_receiver(fs);
	uint64_t before;

	make_large(fs, "large");
	assert_int_equal(write_as(&user_a, entry(fs, "a"), request), EOPNOTSUPP);
	assert_int_equal(unlink(source(fs, "large")), 0);
	before = free_bytes(fs);
	expect_freed_by_receiver(fs, receiver, before);
}

#define MANY 100

/* However many files of a user wait: few in the worker, and the user gets no more of them. */
static void many_files_wait_elsewhere(struct fs *fs)
{
	const char *request = request_of(source(fs, "many"));
	pid_t receiver;
	int error;

	make_source(fs, "many", 65536);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(write_as(&user_a, entry(fs, format("m%d", i)), request), 0);
	receiver = stop_receiver(fs);
	for (int i = 0; i < MANY; i++)
		unmap_as(&user_a, fs, format("m%d", i));
	assert_int_equal(shell(fs, format("test $(ls -l /proc/%d/fd | grep -c $D/many) -le 33",
					  (int)daemon_worker(&fs->daemon))),
			 0);
	error = write_as(&user_a, entry(fs, "a"), request);
	assert_true(error == EAGAIN || is_killed(receiver));
	others_go_on(fs);
	kill(receiver, SIGCONT);
	if (!error)
		unmap_as(&user_a, fs, "a");
	WAIT_UNTIL(!shell(fs, "! ls -l /proc/[0-9]*/fd | grep $D/many"));
	assert_int_equal(write_as(&user_a, entry(fs, "a"), request), 0);
}

/* What is on the file system can be unmounted at once, however many there were. */
static void no_descriptor_is_left(struct fs *fs)
{
	const char *count = format("ls -l /proc/%d/fd /proc/%d/fd | grep -c $D/file",
				   (int)fs->daemon.keeper, (int)daemon_worker(&fs->daemon));

	make_source(fs, "file", 65536);
	for (int i = 0; i < 100; i++)
		map_source(fs, format("m%d", i), source(fs, "file"));
	assert_int_equal(shell(fs, format("test $(%s) = 100", count)), 0);
	for (int i = 0; i < 100; i++)
		unmap(fs, format("m%d", i));
	assert_int_equal(shell(fs, format("! ls -l /proc/[0-9]*/fd | grep $D/file")), 0);
}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(rm_leaves_the_last_close_to_the_receiver, .options = "rootmode=1777"),
		FS_TEST(so_does_the_unmapping_of_the_last_part, .options = "rootmode=1777"),
		FS_TEST(so_does_a_map_that_fails, .options = "rootmode=1777"),
		FS_TEST(many_files_wait_elsewhere, .options = "rootmode=1777"),
		FS_TEST(no_descriptor_is_left),
	};

	return fs_run(argc, argv, "last_references", tests, sizeof(tests) / sizeof(*tests));
}
