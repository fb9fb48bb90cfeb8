/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_listen.c - the socket's place in the file system
 */
#include "capture.h"
#include "keeper/listen.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[32], path[64];
static struct capture capture;

static int begin(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/listen-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/in/socket", folder);
	umask(022);
	capture_begin(&capture, STDERR_FILENO);
	return 0;
}

static int end(void **state)
{
	(void)state;
	capture_end(&capture);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	return rmdir(folder);
}

static int reach(int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0), error;

	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

static void listens_for_everybody(void **state)
{
	int fd = listen_begin(path), client;
	struct stat st;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	*strrchr(path, '/') = '\0';
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	path[strlen(path)] = '/';
	client = reach(SOCK_SEQPACKET);
	assert_true(client >= 0);
	assert_int_equal(reach(SOCK_STREAM), -EPROTOTYPE);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(client);
	close(fd);
}

static void a_dead_socket_is_replaced(void **state)
{
	int fd = listen_begin(path), client;

	(void)state;
	close(fd);
	assert_int_equal(reach(SOCK_SEQPACKET), -ECONNREFUSED);
	fd = listen_begin(path);
	assert_true(fd >= 0);
	client = reach(SOCK_SEQPACKET);
	assert_true(client >= 0);
	close(client);
	close(fd);
}

static void a_served_one_is_left_alone(void **state)
{
	int fd = listen_begin(path), client, clients[200], count = 0;
	char *text;

	(void)state;
	assert_int_equal(listen_begin(path), -EADDRINUSE);
	text = capture_text(&capture);
	assert_non_null(strstr(text, path));
	free(text);
	/* Also a daemon whose queue of connections is full. */
	while ((client = reach(SOCK_SEQPACKET | SOCK_NONBLOCK)) >= 0 && count < 200)
		clients[count++] = client;
	assert_int_equal(client, -EAGAIN);
	assert_int_equal(listen_begin(path), -EADDRINUSE);
	while (count)
		close(clients[--count]);
	close(fd);
}

/* Other files at that path are not removed. */
static void other_files_are_left_alone(void **state)
{
	int fd = listen_begin(path);
	struct stat st;

	(void)state;
	close(fd);
	unlink(path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(listen_begin(path), -EADDRINUSE);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	unlink(path);
	assert_int_equal(symlink("/nowhere", path), 0);
	assert_int_equal(listen_begin(path), -EADDRINUSE);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void says_why_it_cannot(void **state)
{
	char longest[200], *text;

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(listen_begin(longest), -ENAMETOOLONG);
	assert_int_equal(listen_begin("/nowhere/at/all"), -ENOENT);
	assert_int_equal(listen_begin("/proc/self/status/x"), -ENOTDIR);
	text = capture_text(&capture);
	assert_non_null(strstr(text, "too long"));
	assert_non_null(strstr(text, "/nowhere/at/all: "));
	assert_non_null(strstr(text, "/proc/self/status/x: "));
	free(text);
	snprintf(longest, sizeof(longest), "%s/in", folder);
	mkdir(longest, 0700); /* for the end */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(listens_for_everybody, begin, end),
		cmocka_unit_test_setup_teardown(a_dead_socket_is_replaced, begin, end),
		cmocka_unit_test_setup_teardown(a_served_one_is_left_alone, begin, end),
		cmocka_unit_test_setup_teardown(other_files_are_left_alone, begin, end),
		cmocka_unit_test_setup_teardown(says_why_it_cannot, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
