// SPDX-License-Identifier: BSD-3-Clause
/*
 * supervisor.c - the process that cleans up, whatever happens to the one that measures
 *
 * A caller of FUSE whose request the daemon has taken and never answers sleeps so deeply that no
 * signal handler runs in it and not even SIGKILL ends it; only the end of the daemon does. So the
 * measuring is done by a child that leads a process group, which its daemon shares, and the process
 * that the user sees does nothing but wait, and end that group.
 *
 * Where a daemon is measured, that child is the first process of a pid name space, with mounts, a
 * /proc, a network and IPC of its own: the daemon sees the processes of bench only, and all of them
 * end with the child. It reaps no orphans: each process of bench waits for its own children, and
 * the few that an early end leaves over go away with the name space. Calls message.c, interrupt.c.
 */
#include "bench/supervisor.h"
#include "bench/interrupt.h"
#include "bench/message.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STUCK_SECONDS 5 /* how long a child may take to end on SIGTERM */

/* The child's half of the name spaces. Nothing that is mounted here shows anywhere else. */
static int set_apart(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL)) {
		message_error("cannot have name spaces of its own (bench needs root): %m");
		return -1;
	}
	return 0;
}

/* `parent` is the reading end of a pipe that the parent has the other end of. */
static bool is_orphan(int parent)
{
	struct pollfd end = {.fd = parent};

	return poll(&end, 1, 0) != 0;
}

static _Noreturn void work_in_child(const struct supervisor_job *job, const char *folder,
				    int parent, const sigset_t *mask)
{
	int status;

	setpgid(0, 0);
	/* A first process gets only signals that it handles, and those that it blocks meanwhile. */
	interrupt_catch(SIGTERM);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (is_orphan(parent) || (job->apart && set_apart()))
		_exit(EXIT_FAILURE);
	sigprocmask(SIG_SETMASK, mask, NULL);
	status = job->work(folder, job->context);
	fflush(stdout);
	/* The parent may not be there to do it. */
	if (is_orphan(parent))
		rmdir(folder);
	_exit(status);
}

/* Waits until the child is dead, but not reaped: its number stays that of its group. */
static void wait_until_dead(pid_t child, const sigset_t *signals)
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

int supervisor_run(const struct supervisor_job *job)
{
	const char *tmp = getenv("TMPDIR");
	int status = EXIT_FAILURE;
	sigset_t signals, mask;
	char folder[128];
	int alive[2];
	pid_t child;

	if (!tmp || strlen(tmp) > 60)
		tmp = "/tmp";
	snprintf(folder, sizeof(folder), "%s/pmem2fs-bench.XXXXXX", tmp);
	if (pipe2(alive, O_CLOEXEC)) {
		message_error("pipe: %m");
		return EXIT_FAILURE;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, &mask);
	if (!mkdtemp(folder)) {
		message_error("%s: %m", folder);
		goto close_pipe;
	}
	/* Of the children, not of this process. */
	if (job->apart && unshare(CLONE_NEWPID)) {
		message_error("cannot have a pid name space of its own (bench needs root): %m");
		goto remove_folder;
	}
	child = fork();
	if (child == 0) {
		close(alive[1]);
		work_in_child(job, folder, alive[0], &mask);
	}
	if (child < 0) {
		message_error("fork: %m");
		goto remove_folder;
	}
	setpgid(child, child);
	wait_until_dead(child, &signals);
	/* What the child left running. */
	kill(-child, SIGKILL);
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		message_error("the measuring was ended by signal %d", WTERMSIG(status));
	status = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
remove_folder:
	if (rmdir(folder)) {
		message_error("%s: %m", folder);
		status = EXIT_FAILURE;
	}
close_pipe:
	close(alive[0]);
	close(alive[1]);
	return status;
}
