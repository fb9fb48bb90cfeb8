/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_bind_mounts.c - bind mounts of the mount die and live as the manual says
 */
#include "helpers.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *make_bind_mount(const struct fs *fs)
{
	const char *path = format("%s/bind", fs->dir);

	mkdir(path, 0755);
	assert_int_equal(mount(fs->daemon.mnt, path, NULL, MS_BIND, NULL), 0);
	return path;
}

static int list_errno(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = errno;

	if (fd < 0)
		return error;
	close(fd);
	return 0;
}

/* A folder that is open on the mount dies, too. */
static void it_is_dead_when_its_worker_is(struct fs *fs)
{
	const char *bind;
	pid_t worker = daemon_worker(&fs->daemon);
	int folder;

	map_anonymous(fs, "a", 4096);
	bind = make_bind_mount(fs);
	folder = open(fs->daemon.mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(folder >= 0);
	kill(worker, SIGKILL);
	WAIT_UNTIL(daemon_worker(&fs->daemon) != worker);
	WAIT_UNTIL(access(entry(fs, "a"), F_OK) == 0);
	assert_int_equal(list_errno(bind), ENOTCONN);
	assert_int_equal(openat(folder, "b", O_RDONLY | O_CLOEXEC), -1);
	assert_int_equal(errno, ENOTCONN);
	close(folder);
	assert_int_equal(umount(bind), 0);
	bind = make_bind_mount(fs);
	assert_int_equal(list_errno(bind), 0);
	assert_int_equal(umount(bind), 0);
}

static void it_is_dead_when_the_daemon_is(struct fs *fs)
{
	const char *bind = make_bind_mount(fs);

	daemon_stop(&fs->daemon);
	assert_int_equal(list_errno(bind), ENOTCONN);
	assert_int_equal(mounted(bind), 1);
	daemon_start(&fs->daemon, NULL);
	assert_int_equal(list_errno(bind), ENOTCONN);
	assert_int_equal(umount(bind), 0);
}

static void the_daemon_goes_on_with_it(struct fs *fs)
{
	const char *bind = make_bind_mount(fs), *path = format("%s/a", bind);

	/* Served by now: before that, umount would end the daemon. */
	assert_int_equal(list_errno(bind), 0);
	assert_int_equal(umount(fs->daemon.mnt), 0);
	assert_int_equal(write_text(path, "{\"source\":{\"type\":\"anonymous\",\"size\":4096}}"),
			 0);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(kill(fs->daemon.keeper, 0), 0);
	assert_int_equal(umount(bind), 0);
	assert_int_equal(daemon_wait(&fs->daemon), 0);
}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(it_is_dead_when_its_worker_is),
		FS_TEST(it_is_dead_when_the_daemon_is),
		FS_TEST(the_daemon_goes_on_with_it),
	};

	return fs_run(argc, argv, "bind_mounts", tests, sizeof(tests) / sizeof(*tests));
}
