/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_worker_process.c - what a worker inherits when it starts, and how its end is noticed
 *
 * The worker is this program, which is started with one more argument.
 */
#include "capture.h"
#include "keeper/worker_process.h"
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WORKER_STATUS 23

static char *program;

/* The worker: sends what it was started with over its first descriptor. */
static int be_worker(int argc, char **argv)
{
	int other = WORKER_FD_END;
	sigset_t blocked;

	for (int fd = WORKER_FD_FIRST; fd < WORKER_FD_END; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return 1;
	while (other < 1024 && fcntl(other, F_GETFD) < 0)
		other++;
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	dprintf(WORKER_FD_FUSE, "%d arguments, %s, %s, %s", argc, argv[argc - 1],
		other == 1024 ? "nothing else" : "other descriptors",
		sigismember(&blocked, SIGTERM) ? "SIGTERM blocked" : "no signal blocked");
	return WORKER_STATUS;
}

static int wait_for_end(pid_t worker)
{
	int status = -1;

	while (!worker_process_ended(worker, &status))
		poll(NULL, 0, 1);
	return status;
}

static void a_worker_finds_its_descriptors(void **state)
{
	char *argv[] = {program, (char *)"-f", NULL};
	int pipe_ends[2], fds[WORKER_FDS], null, moved;
	char text[128] = "";
	sigset_t term, before;
	pid_t worker;

	(void)state;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &before);
	assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	moved = fcntl(null, F_DUPFD_CLOEXEC, WORKER_FD_END);
	fds[0] = pipe_ends[1];
	for (int i = 1; i < WORKER_FDS; i++)
		fds[i] = moved;
	assert_int_equal(worker_process_start(argv, (char *)"--worker=1,2,/mnt", fds, &worker), 0);
	close(pipe_ends[1]);
	close(null);
	close(moved);
	sigprocmask(SIG_SETMASK, &before, NULL);
	assert_true(read(pipe_ends[0], text, sizeof(text) - 1) > 0);
	close(pipe_ends[0]);
	assert_string_equal(text,
			    "3 arguments, --worker=1,2,/mnt, nothing else, no signal blocked");
	assert_int_equal(WEXITSTATUS(wait_for_end(worker)), WORKER_STATUS);
}

/* Starts a child that runs until it is killed, or ends with `status`. */
static pid_t start_child(int status)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (status >= 0)
		_exit(status);
	for (;;)
		pause();
}

static void an_end_is_noticed_with_its_status(void **state)
{
	pid_t runs = start_child(-1), other = start_child(5), worker = start_child(7);
	int status;

	(void)state;
	assert_int_equal(WEXITSTATUS(wait_for_end(worker)), 7);
	/* Other children are reaped too, and are not mistaken for the worker. */
	while (!kill(other, 0)) {
		assert_false(worker_process_ended(runs, &status));
		poll(NULL, 0, 1);
	}
	kill(runs, SIGKILL);
	status = wait_for_end(runs);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void a_worker_that_does_not_end_is_killed(void **state)
{
	struct capture capture;
	pid_t worker = start_child(-1);
	char *text;

	(void)state;
	capture_begin(&capture, STDERR_FILENO);
	worker_process_end(worker);
	text = capture_text(&capture);
	capture_end(&capture);
	assert_string_equal(text, "");
	free(text);
	assert_int_equal(kill(worker, 0), -1);
}

/*
 * Makes a pid namespace of two processes and reports its first one. That one cannot end before this
 * process waits for the other one, which it does not.
 */
static _Noreturn void keep_from_ending(int report)
{
	pid_t first = -1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!unshare(CLONE_NEWPID)) {
		first = start_child(-1);
		start_child(-1);
	}
	if (write(report, &first, sizeof(first)) != sizeof(first))
		_exit(1);
	for (;;)
		pause();
}

static void an_end_that_hangs_is_noticed(void **state)
{
	int ends[2], status = -1;
	pid_t parent, worker;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	parent = fork();
	assert_true(parent >= 0);
	if (!parent)
		keep_from_ending(ends[1]);
	close(ends[1]);
	assert_int_equal(read(ends[0], &worker, sizeof(worker)), sizeof(worker));
	close(ends[0]);
	if (worker > 0) {
		assert_false(worker_process_ended(worker, &status));
		kill(worker, SIGKILL);
		status = wait_for_end(worker);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
		assert_int_equal(kill(worker, 0), 0); /* it is still there */
	}
	kill(parent, SIGKILL);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	if (worker < 0)
		skip();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_finds_its_descriptors),
		cmocka_unit_test(an_end_is_noticed_with_its_status),
		cmocka_unit_test(a_worker_that_does_not_end_is_killed),
		cmocka_unit_test(an_end_that_hangs_is_noticed),
	};

	if (argc > 1 && !strncmp(argv[argc - 1], "--worker=", strlen("--worker=")))
		return be_worker(argc, argv);
	/* The worker does not inherit the descriptors that this program has inherited. */
	if (close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC))
		return 1;
	program = argv[0];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
