// SPDX-License-Identifier: BSD-3-Clause
/*
 * bench_guard.c - the process that cleans up, whatever happens to the one that measures
 *
 * A caller of FUSE whose request the daemon has taken and never answers sleeps so deeply that no
 * signal handler runs in it and not even SIGKILL ends it; only the end of the daemon does. So the
 * measuring is done by a child that leads a process group, which its daemon shares, and the process
 * that the user sees does nothing but wait, and end that group.
 */
#include "bench/bench.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STUCK_SECONDS 5 /* how long a child that was asked to leave may take */

volatile sig_atomic_t bench_interrupted;

static void on_signal(int sig)
{
	(void)sig;
	bench_interrupted = 1;
}

static _Noreturn void be_the_child(int (*work)(const char *folder, void *context),
				   const char *folder, void *context, pid_t parent,
				   const sigset_t *mask)
{
	struct sigaction action = {.sa_handler = on_signal};
	int status;

	setpgid(0, 0);
	sigaction(SIGTERM, &action, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	sigprocmask(SIG_SETMASK, mask, NULL);
	status = work(folder, context);
	fflush(stdout);
	_exit(status);
}

/* Waits until the child is dead, but not reaped: its number stays that of its group. */
static void wait_for(pid_t child, const sigset_t *signals)
{
	const struct timespec stuck = {.tv_sec = STUCK_SECONDS};
	bool asked = false;

	for (;;) {
		int sig = asked ? sigtimedwait(signals, NULL, &stuck) : sigwaitinfo(signals, NULL);
		siginfo_t info = {0};

		if (sig < 0 && errno == EINTR)
			continue;
		if (!waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid)
			return;
		if (sig == SIGCHLD)
			continue;
		if (asked)
			kill(-child, SIGKILL);
		else
			kill(child, SIGTERM);
		asked = true;
	}
}

int bench_guard(int (*work)(const char *folder, void *context), void *context)
{
	const char *tmp = getenv("TMPDIR");
	pid_t parent = getpid(), child;
	sigset_t signals, mask;
	int status = EXIT_FAILURE;
	char folder[128];

	if (!tmp || strlen(tmp) > 60)
		tmp = "/tmp";
	snprintf(folder, sizeof(folder), "%s/pmem2fs-bench.XXXXXX", tmp);
	if (!mkdtemp(folder)) {
		bench_error("%s: %m", folder);
		return EXIT_FAILURE;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, &mask);
	child = fork();
	if (child == 0)
		be_the_child(work, folder, context, parent, &mask);
	if (child < 0) {
		bench_error("fork: %m");
		goto remove_folder;
	}
	setpgid(child, child);
	wait_for(child, &signals);
	/* What the child left running. */
	kill(-child, SIGKILL);
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		bench_error("the measuring was ended by signal %d", WTERMSIG(status));
	status = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
remove_folder:
	if (rmdir(folder)) {
		bench_error("%s: %m", folder);
		status = EXIT_FAILURE;
	}
	return status;
}
