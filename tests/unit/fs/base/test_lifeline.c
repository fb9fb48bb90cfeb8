/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_lifeline.c - the event comes when the thread of another process ends, and not before
 *
 * The other process is a child of this one, which gets commands, of a byte each, over a socket.
 */
#include "base/lifeline.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct other {
	struct lifeline *lifeline;
	int event, socket;
	pid_t pid;
};

static void *wait_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

/* Holds the lifeline; a command ends the first thread, and the second one goes on. */
static void be_other(int socket, int fd)
{
	pthread_t thread;
	char command;

	if (pthread_create(&thread, NULL, wait_for_ever, NULL) || lifeline_hold(fd) ||
	    write(socket, "", 1) != 1 || read(socket, &command, 1) != 1)
		_exit(1);
	pthread_exit(NULL);
}

static int begin(void **state)
{
	struct other *other = calloc(1, sizeof(*other));
	int pair[2], fd;
	char byte;

	*state = other;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(lifeline_new(&other->lifeline, &fd), 0);
	other->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	other->socket = pair[0];
	other->pid = fork();
	if (other->pid == 0)
		be_other(pair[1], fd);
	close(pair[1]);
	close(fd);
	assert_int_equal(read(other->socket, &byte, 1), 1); /* it holds the lifeline */
	assert_int_equal(lifeline_watch(other->lifeline, other->event), 0);
	return 0;
}

static int end(void **state)
{
	struct other *other = *state;

	kill(other->pid, SIGKILL);
	waitpid(other->pid, NULL, 0);
	close(other->event);
	close(other->socket);
	free(other);
	return 0;
}

static void wait_for_event(const struct other *other)
{
	struct pollfd wait = {.fd = other->event, .events = POLLIN};
	eventfd_t count;

	assert_int_equal(poll(&wait, 1, -1), 1);
	assert_int_equal(eventfd_read(other->event, &count), 0);
	assert_int_equal(count, 1);
}

static void the_end_of_one_thread_is_told(void **state)
{
	struct other *other = *state;
	eventfd_t count;
	int status;

	assert_int_equal(eventfd_read(other->event, &count), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(write(other->socket, "", 1), 1);
	wait_for_event(other);
	/* The process itself lives on. */
	assert_int_equal(waitpid(other->pid, &status, WNOHANG), 0);
}

static void the_end_of_the_process_is_told(void **state)
{
	struct other *other = *state;

	kill(other->pid, SIGKILL);
	wait_for_event(other);
}

static void one_that_nobody_watches(void **state)
{
	struct lifeline *lifeline;
	int fd;

	(void)state;
	lifeline_free(NULL);
	assert_int_equal(lifeline_new(&lifeline, &fd), 0);
	lifeline_free(lifeline);
	close(fd);
	assert_int_equal(lifeline_hold(-1), -EBADF);
}

/* The caller has nothing to close then. */
static void one_that_cannot_be_made(void **state)
{
	struct rlimit before, none;
	struct lifeline *lifeline = NULL;
	int fd;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = (struct rlimit){.rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(lifeline_new(&lifeline, &fd), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_null(lifeline);
	assert_int_equal(fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_end_of_one_thread_is_told, begin, end),
		cmocka_unit_test_setup_teardown(the_end_of_the_process_is_told, begin, end),
		cmocka_unit_test(one_that_nobody_watches),
		cmocka_unit_test(one_that_cannot_be_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
