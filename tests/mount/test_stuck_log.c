/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_stuck_log.c - nobody reads what the daemon logs: it serves, starts another worker and ends
 */
#include "helpers.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) != 0 && errno == ESRCH;
}

/* Makes the log a pipe that is full; returns its descriptor. */
static int fill_log(const struct daemon *daemon)
{
	static const char byte = '\n';
	int fd;

	assert_int_equal(mkfifo(daemon->log, 0666), 0);
	fd = open(daemon->log, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	while (write(fd, &byte, 1) == 1)
		;
	assert_int_equal(errno, EAGAIN);
	return fd;
}

/* Nobody reads /dev/log, and there is no room for another line. Returns its descriptor. */
static int fill_syslog(void)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	int log = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(log, (const struct sockaddr *)&address, sizeof(address)), 0);
	while (sendto(other, "", 1, 0, (const struct sockaddr *)&address, sizeof(address)) == 1)
		;
	assert_int_equal(errno, EAGAIN);
	close(other);
	return log;
}

static void fail_requests(const struct fs *fs)
{
	for (int i = 0; i < 20; i++)
		assert_int_equal(write_text(entry(fs, "wanted"), "[]"), EINVAL);
}

/* Both processes have lines to write meanwhile. */
static void the_daemon_goes_on(const struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon), next;
	struct stat st;

	fail_requests(fs);
	kill(worker, SIGKILL);
	WAIT_UNTIL((next = daemon_worker(&fs->daemon)) != worker);
	WAIT_UNTIL(stat(entry(fs, "a"), &st) == 0);
	fail_requests(fs);
}

static void stderr_is_a_full_pipe(struct fs *fs)
{
	int log = fill_log(&fs->daemon);

	daemon_start(&fs->daemon, NULL);
	map_anonymous(fs, "a", 4096);
	the_daemon_goes_on(fs);
	daemon_stop(&fs->daemon);
	close(log);
	unlink(fs->daemon.log);
}

static void syslog_does_not_read(struct fs *fs)
{
	int log = fill_syslog();
	json_t *root;

	assert_int_equal(shell(fs, format("%s $M -o observe=off,socket=%s",
					  getenv("PMEM2FS_DAEMON"), fs->daemon.socket)),
			 0);
	map_anonymous(fs, "a", 4096);
	root = document(fs, "a");
	fs->daemon.keeper = (pid_t)number_of(json_object_get(root, "owner"), "pid");
	json_decref(root);
	the_daemon_goes_on(fs);
	kill(fs->daemon.keeper, SIGTERM);
	WAIT_UNTIL(is_gone(fs->daemon.keeper));
	fs->daemon.keeper = 0;
	assert_int_equal(mounted(fs->daemon.mnt), 0);
	close(log);
	unlink("/dev/log");
}

/* There is a file in the place of the socket. */
static void a_failed_start_ends(struct fs *fs)
{
	int log = fill_log(&fs->daemon);

	assert_int_equal(write_text(fs->daemon.socket, "precious"), 0);
	daemon_spawn(&fs->daemon, NULL, NULL, NULL);
	assert_int_equal(daemon_wait(&fs->daemon), 1);
	close(log);
	unlink(fs->daemon.log);
}

/* With the end of the daemon, all of that is read that fits. */
static void what_was_logged_is_read_in_the_end(struct fs *fs)
{
	assert_int_equal(write_text(entry(fs, "wanted"), "[]"), EINVAL);
	daemon_stop(&fs->daemon);
	assert_int_equal(
		shell(fs, format("grep '^pmem2fs: wanted: bad request' %s", fs->daemon.log)), 0);
}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(stderr_is_a_full_pipe, .no_daemon = true),
		FS_TEST(syslog_does_not_read, .no_daemon = true),
		FS_TEST(a_failed_start_ends, .no_daemon = true),
		FS_TEST(what_was_logged_is_read_in_the_end),
	};

	return fs_run(argc, argv, "stuck_log", tests, sizeof(tests) / sizeof(*tests));
}
