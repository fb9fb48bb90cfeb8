/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * isolate.c - runs a test where nothing of the host changes its result, and ends it in time
 *
 * usage: isolate [--limit SECONDS] [--root] [NAME=VALUE...] PROGRAM [ARGUMENT...]
 *
 * Three processes: this one stays outside, waits and passes the result on; the first process of the
 * new name spaces adopts the processes that the test leaves; the test itself. When the first
 * process ends, the kernel kills all others and removes all mounts. A daemon dies together with the
 * processes that wait for its file system, so even processes that no signal ends are killed.
 */
#include "clock.h"
#include "stacks.h"
#include "world.h"
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SKIPPED   77
#define LIMIT_WAS 124 /* as timeout(1) */
#define GRACE     90  /* seconds for what is printed when the limit has passed */

struct order {
	unsigned limit; /* seconds */
	bool root;      /* skipped without root */
	char **program;
};

static int usage(FILE *out)
{
	fprintf(out, "usage: isolate [--limit SECONDS] [--root] [NAME=VALUE...] PROGRAM "
		     "[ARGUMENT...]\n"
		     "  --limit SECONDS  show what still runs, and kill it, after that time\n"
		     "  --root           skip the test (status 77) for an ordinary user\n"
		     "The program sees an environment of its own, with NAME=VALUE set.\n");
	return out == stdout ? 0 : 2;
}

static long long after(unsigned seconds)
{
	return now_ms() + 1000LL * seconds;
}

/* Waits for a signal of `set` until `end` (0: for good). Returns it, or 0 when the time is over. */
static int next_signal(const sigset_t *set, long long end)
{
	for (;;) {
		long long left = end - now_ms();
		int signo;

		if (end && left <= 0)
			return 0;
		signo = end ? sigtimedwait(set, NULL,
					   &(struct timespec){.tv_sec = left / 1000,
							      .tv_nsec = left % 1000 * 1000000})
			    : sigwaitinfo(set, NULL);
		if (signo > 0)
			return signo;
	}
}

static int status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Reaps children until `child` is among them; -1: it still runs. */
static int reap(pid_t child)
{
	int status, result = -1;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == child)
			result = status_of(status);
	}
	return result;
}

/* The first process of the name spaces, with whose end all others end. */
static int run_first(const struct order *order, const sigset_t *signals)
{
	long long end = order->limit ? after(order->limit) : 0;
	int result;
	pid_t test;

	if (world_furnish() != 0)
		return SKIPPED;
	test = fork();
	if (test < 0) {
		perror("isolate: fork");
		return 1;
	}
	if (test == 0) {
		world_set_process();
		execvp(order->program[0], order->program);
		fprintf(stderr, "isolate: %s: %s\n", order->program[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	for (;;) {
		if (next_signal(signals, end) == 0) {
			fprintf(stderr, "isolate: %s: its time limit of %u seconds has passed\n",
				order->program[0], order->limit);
			stacks_print(2);
			return LIMIT_WAS;
		}
		result = reap(test);
		if (result >= 0)
			return result;
	}
}

/* In the outer process: waits for the first process; a signal ends all. */
static int wait_outside(pid_t first, const struct order *order, const sigset_t *signals)
{
	long long end = order->limit ? after(order->limit + GRACE) : 0;
	int result;

	for (;;) {
		int signo = next_signal(signals, end);

		if (signo == SIGCHLD) {
			result = reap(first);
			if (result >= 0)
				return result;
			continue;
		}
		kill(first, SIGKILL);
		end = after(GRACE);
		while (reap(first) < 0) {
			if (next_signal(signals, end) == 0) {
				fprintf(stderr, "isolate: %s: cannot be killed\n",
					order->program[0]);
				break;
			}
		}
		return signo ? 128 + signo : LIMIT_WAS;
	}
}

static int read_order(struct order *order, char **argv)
{
	char *end;

	for (argv++; *argv && !strncmp(*argv, "--", 2); argv++) {
		if (!strcmp(*argv, "--help"))
			exit(usage(stdout));
		if (!strcmp(*argv, "--root")) {
			order->root = true;
			continue;
		}
		if (strcmp(*argv, "--limit") != 0 || !argv[1])
			return -1;
		order->limit = (unsigned)strtoul(*++argv, &end, 10);
		if (end == *argv || *end || order->limit > 1000000)
			return -1;
	}
	if (world_set_environment() != 0)
		exit(1);
	for (; *argv && strchr(*argv, '='); argv++)
		putenv(*argv);
	order->program = argv;
	return *argv ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct order order = {0};
	sigset_t signals;
	pid_t first;

	(void)argc;
	if (read_order(&order, argv) != 0)
		return usage(stderr);
	if (order.root && geteuid() != 0) {
		fprintf(stderr, "isolate: skipped: needs root\n");
		return SKIPPED;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	signal(SIGCHLD, SIG_DFL); /* if the caller ignores it, there is no exit status */
	if (world_leave() != 0) {
		fprintf(stderr, "isolate: skipped: no name spaces: %s\n", strerror(errno));
		return SKIPPED;
	}
	first = fork();
	if (first < 0) {
		perror("isolate: fork");
		return 1;
	}
	if (first == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(run_first(&order, &signals));
	}
	return wait_outside(first, &order, &signals);
}
