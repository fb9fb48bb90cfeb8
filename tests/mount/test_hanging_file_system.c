/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_hanging_file_system.c - requests whose paths lie on a file system that never answers
 *
 * hang_fs reads a request and never answers it. A process that waits for it cannot be killed, so
 * the tests themselves touch nothing below its mount point.
 */
#include "helpers.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct request {
	char path[128], text[256];
};

static int write_child(void *argument)
{
	const struct request *request = argument;

	return write_text(request->path, request->text);
}

/* A request for a file below the mount that hangs. */
static struct request hanging_request(const struct fs *fs, const char *name)
{
	struct request request;

	snprintf(request.path, sizeof(request.path), "%s", entry(fs, name));
	snprintf(request.text, sizeof(request.text), "{\"source\":{\"path\":\"%s/file\"}}",
		 hanging(fs));
	return request;
}

/* A file on a FUSE file system is refused, whether that answers or hangs. */
static void fuse_is_refused(struct fs *fs)
{
	struct request request;
	char *before, *after;

	start_hanging(fs, fs->test->data);
	map_anonymous(fs, "keep", 4096);
	before = snapshot(fs);
	request = hanging_request(fs, "wanted");
	assert_int_equal(write_text(request.path, request.text), EOPNOTSUPP);
	assert_true(log_has(&fs->daemon, "wanted.*hang/file.*(FUSE|fuse)"));
	assert_int_equal(write_as(&user_a, request.path, request.text), EOPNOTSUPP);
	after = snapshot(fs);
	assert_string_equal(after, before);
	free(before);
	free(after);
}

static void others_do_not_notice(struct fs *fs)
{
	struct request request;
	pid_t writer;
	int error;

	start_hanging(fs, fs->test->data);
	make_source(fs, "file", 65536);
	map_source(fs, "keep", source(fs, "file"));
	request = hanging_request(fs, "wanted");
	writer = start_as(&user_a, write_child, &request);
	for (int i = 0; i < 20; i++)
		others_go_on(fs);
	assert_entries(fs, "keep", NULL);
	/* The request was refused, or it hangs and Ctrl-C ends it. */
	WAIT_UNTIL(has_ended(writer) || waits_for_answer(writer));
	kill(writer, SIGINT);
	error = finish(writer);
	assert_true(error == EOPNOTSUPP || error == -SIGINT);
	others_go_on(fs);
}

/* Many requests hang, made by `users` users, of whom user_a is the first. */
static void many_requests_stop_nobody_else(struct fs *fs, uid_t users)
{
	enum { WRITERS = 100 };
	struct request requests[WRITERS];
	pid_t writers[WRITERS];
	struct user user = user_a;

	start_hanging(fs, fs->test->data);
	make_source(fs, "file", 65536);
	map_source(fs, "keep", source(fs, "file"));
	for (int i = 0; i < WRITERS; i++) {
		requests[i] = hanging_request(fs, format("m%d", i));
		user.uid = (uid_t)i % users ? 10000 + (uid_t)i % users : user_a.uid;
		writers[i] = start_as(&user, write_child, &requests[i]);
	}
	for (int i = 0; i < 20; i++)
		others_go_on(fs);
	for (int i = 0; i < WRITERS; i++)
		kill(writers[i], SIGINT);
	for (int i = 0; i < WRITERS; i++)
		assert_true(finish(writers[i]) != 0);
	others_go_on(fs);
	assert_entries(fs, "keep", NULL);
	/* When hang_fs has ended, the hanging requests end, and that user may map again. */
	kill(fs->helper, SIGKILL);
	finish(fs->helper);
	fs->helper = 0;
	WAIT_UNTIL(write_as(&user_a, entry(fs, "again"),
			    format("{\"source\":{\"path\":\"%s\"}}", source(fs, "file"))) == 0);
}

static void many_requests_stop_one_user_only(struct fs *fs)
{
	many_requests_stop_nobody_else(fs, 1);
}

/* More requests hang than there are threads that open sources for users. */
static void many_users_stop_nobody_else(struct fs *fs)
{
	many_requests_stop_nobody_else(fs, 25);
}

static void the_daemon_can_be_stopped(struct fs *fs)
{
	struct request request;
	struct daemon next;
	pid_t writer;

	start_hanging(fs, fs->test->data);
	request = hanging_request(fs, "wanted");
	writer = start_as(&user_a, write_child, &request);
	WAIT_UNTIL(has_ended(writer) || waits_for_answer(writer));
	daemon_stop(&fs->daemon);
	assert_true(finish(writer) > 0);
	/* Another daemon with the same mount point and socket is not disturbed by it. */
	next = fs->daemon;
	daemon_start(&next, NULL);
	make_source(fs, "file", 65536);
	map_source(fs, "a", source(fs, "file"));
	unmap(fs, "a");
	daemon_stop(&next);
}

/* The worker cannot be killed completely: one of its threads stays in the kernel. */
static void a_worker_that_hangs_is_replaced(struct fs *fs)
{
	struct request request;
	pid_t writer, worker = daemon_worker(&fs->daemon);

	start_hanging(fs, fs->test->data);
	make_source(fs, "file", 65536);
	map_source(fs, "keep", source(fs, "file"));
	request = hanging_request(fs, "wanted");
	writer = start_as(&user_a, write_child, &request);
	WAIT_UNTIL(has_ended(writer) || waits_for_answer(writer));
	kill(worker, SIGKILL);
	WAIT_UNTIL(daemon_worker(&fs->daemon) != worker && access(entry(fs, "keep"), F_OK) == 0);
	assert_int_equal(mounted(fs->daemon.mnt), 1);
	others_go_on(fs);
	kill(writer, SIGKILL);
	finish(writer);
	assert_entries(fs, "keep", NULL);
}

/* The owner of a file can delay every open of it, by a lease, for as long as the system allows. */
static void a_lease_does_not_disturb_others(struct fs *fs)
{
	const char *path = make_source(fs, "leased", 65536);
	struct request request;
	pid_t writer;
	int fd, error;

	make_source(fs, "file", 65536);
	map_source(fs, "keep", source(fs, "file"));
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	signal(SIGIO, SIG_IGN);
	assert_int_equal(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
	snprintf(request.path, sizeof(request.path), "%s", entry(fs, "wanted"));
	snprintf(request.text, sizeof(request.text), "{\"source\":{\"path\":\"%s\"}}", path);
	writer = start_as(&user_a, write_child, &request);
	for (int i = 0; i < 10; i++)
		others_go_on(fs);
	WAIT_UNTIL(has_ended(writer) || waits_for_answer(writer));
	kill(writer, SIGINT);
	error = finish(writer);
	assert_true(error == EAGAIN || error == -SIGINT);
	others_go_on(fs);
	close(fd);
}

#define HANG(f, how)                                                                               \
	{                                                                                          \
		.name = #f "_" how, .function = f, .data = how, .options = "rootmode=1777"         \
	}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		HANG(fuse_is_refused, "none"),
		HANG(fuse_is_refused, "getattr"),
		HANG(fuse_is_refused, "open"),
		HANG(others_do_not_notice, "lookup"),
		HANG(others_do_not_notice, "getattr"),
		HANG(others_do_not_notice, "open"),
		HANG(many_requests_stop_one_user_only, "lookup"),
		HANG(many_users_stop_nobody_else, "lookup"),
		HANG(the_daemon_can_be_stopped, "lookup"),
		HANG(the_daemon_can_be_stopped, "open"),
		HANG(a_worker_that_hangs_is_replaced, "lookup"),
		FS_TEST(a_lease_does_not_disturb_others, .options = "rootmode=1777"),
	};

	return fs_run(argc, argv, "hanging_file_system", tests, sizeof(tests) / sizeof(*tests));
}
