/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper.c - see keeper.h
 *
 * Supervises: owns the connection to the kernel, the listening socket, the library's table and the
 * worker process. commands.c carries out what the worker asks for. When the worker dies, the
 * mappings stay: their names are the labels in the table, so that the next worker, on a fresh
 * mount, finds everything there.
 */
#include "keeper/keeper.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/lifeline.h"
#include "base/log.h"
#include "keeper/commands.h"
#include "keeper/listen.h"
#include "keeper/worker_process.h"
#include "libpmem2.h"
#include "libpmem2fs.h"
#include "mount/mount.h"
#include "mount/old_mount.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* More within RESTART_SECONDS: something is wrong that a restart does not mend. */
#define RESTARTS_MAX      5
#define RESTART_SECONDS   10
#define WAIT_MILLISECONDS 2000 /* between two looks at a worker that is not watched */

struct keeper {
	const struct keeper_settings *settings;
	int table, listener, signals, mounts;
	int died;            /* an eventfd: the first thread of a worker has ended */
	int ready;           /* -1: nobody waits for the mount to be served */
	_Atomic bool served; /* a worker has come up; set by a thread of `commands` */
	struct commands *commands;
	struct mount *mount;
	pid_t worker;
	struct lifeline *_Atomic lifeline; /* of the worker, until it is watched */
	_Atomic bool watched;              /* a thread waits for the lifeline */
	unsigned workers;                  /* how many there were */
};

/* A worker serves the mount. Called by a thread of `commands`. */
static void worker_ready(void *arg)
{
	struct keeper *keeper = arg;
	struct lifeline *lifeline = atomic_exchange(&keeper->lifeline, NULL);

	keeper->served = true;
	if (lifeline) {
		int error = lifeline_watch(lifeline, keeper->died);

		keeper->watched = !error;
		if (error) {
			log_warning("no thread to watch the worker with: %s", strerror(-error));
			lifeline_free(lifeline);
		}
		eventfd_write(keeper->died, 1); /* the main thread waits for another time */
	}
	if (keeper->ready < 0)
		return;
	log_leave_terminal(); /* before the caller's shell has it back */
	if (write(keeper->ready, "", 1) != 1)
		log_warning("nobody waits for the mount to be ready");
	close(keeper->ready);
	keeper->ready = -1;
}

/* `commands` is the worker's end of the socket. */
static int start_worker(struct keeper *keeper, int commands, int lifeline)
{
	const int fds[WORKER_FDS] = {
		[WORKER_FD_FUSE - WORKER_FD_FIRST] = mount_fd(keeper->mount),
		[WORKER_FD_COMMANDS - WORKER_FD_FIRST] = commands,
		[WORKER_FD_LISTENER - WORKER_FD_FIRST] = keeper->listener,
		[WORKER_FD_TABLE - WORKER_FD_FIRST] = keeper->table,
		[WORKER_FD_LIFELINE - WORKER_FD_FIRST] = lifeline,
	};
	char *option;
	int error;

	/* The mount point is given again as the keeper has resolved it. */
	if (asprintf(&option, "--worker=%llu,%u,%s",
		     (unsigned long long)mount_device(keeper->mount), keeper->workers++,
		     keeper->settings->mountpoint) < 0)
		return -ENOMEM;
	error = worker_process_start(keeper->settings->argv, option, fds, &keeper->worker);
	free(option);
	return error;
}

static void drop_lifeline(struct keeper *keeper)
{
	lifeline_free(atomic_exchange(&keeper->lifeline, NULL));
}

/*
 * Gives a descriptor another number than those of worker_fds.h. Takes ownership of `fd`. Returns
 * the new one or a negative errno.
 */
static int move_up(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, WORKER_FD_END);

	if (moved < 0)
		moved = -errno;
	close(fd);
	return moved;
}

/* Takes ownership of `commands`, the worker's end of the socket. */
static int begin_worker(struct keeper *keeper, int commands)
{
	struct lifeline *lifeline = NULL;
	int fd = -1, error;

	commands = move_up(commands);
	error = commands < 0 ? commands : lifeline_new(&lifeline, &fd);
	if (!error) {
		fd = move_up(fd);
		keeper->lifeline = lifeline;
		error = fd < 0 ? fd : start_worker(keeper, commands, fd);
	}
	if (error)
		drop_lifeline(keeper);
	if (fd >= 0)
		close(fd);
	if (commands >= 0)
		close(commands);
	return error;
}

/* Mount, socket pair, threads, worker: all that lives as long as one worker. */
static int begin_life(struct keeper *keeper)
{
	const struct keeper_settings *settings = keeper->settings;
	int pair[2], error;

	error = mount_begin(settings->source, settings->mountpoint, settings->allow_other,
			    &keeper->mount);
	if (error)
		return error;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		error = -errno;
		goto unmount;
	}
	/*
	 * Before the worker starts: a thread that was left behind by an earlier one removes what it
	 * maps from here on, because the new worker may have read the table before.
	 */
	error = commands_start(keeper->commands, pair[0]);
	if (error) {
		close(pair[1]);
		goto unmount;
	}
	error = begin_worker(keeper, pair[1]);
	if (!error)
		return 0;
	commands_stop(keeper->commands);
unmount:
	log_error("cannot start the worker: %s", strerror(-error));
	mount_end(keeper->mount);
	return error;
}

static void end_life(struct keeper *keeper)
{
	mount_end(keeper->mount);
	commands_stop(keeper->commands);
	drop_lifeline(keeper);
	keeper->watched = false;
}

/*
 * Waits until the worker has ended (0, *status is its) or until a signal or an unmount asks this
 * process to end (1).
 */
static int wait_for_end(struct keeper *keeper, int *status)
{
	struct pollfd waits[] = {
		{.fd = keeper->signals, .events = POLLIN},
		{.fd = keeper->mounts, .events = POLLPRI}, /* the list of mounts has changed */
		{.fd = keeper->died, .events = POLLIN},
	};
	struct signalfd_siginfo info;
	eventfd_t count;

	for (;;) {
		poll(waits, 3, keeper->watched ? -1 : WAIT_MILLISECONDS);
		if (waits[2].revents)
			eventfd_read(keeper->died, &count);
		if (waits[0].revents &&
		    read(keeper->signals, &info, sizeof(info)) == sizeof(info) &&
		    info.ssi_signo != SIGCHLD)
			return 1;
		if (worker_process_ended(keeper->worker, status))
			return 0;
		/* The kernel ends the connection only with the last copy, in whatever namespace. */
		if (waits[1].revents && !mount_is_there(keeper->mount))
			return 1;
	}
}

static int supervise(struct keeper *keeper)
{
	uint64_t first = 0;
	bool ended, unmounted;
	unsigned restarts = 0;
	int status;

	for (;;) {
		if (begin_life(keeper))
			return 1;
		ended = wait_for_end(keeper, &status);
		/* A connection that was aborted looks like an unmount to the worker. */
		unmounted = !mount_is_there(keeper->mount);
		if (ended) {
			mount_take_away(keeper->settings->mountpoint, mount_device(keeper->mount));
			commands_hang_up(keeper->commands);
			worker_process_end(keeper->worker);
			end_life(keeper);
			return 0;
		}
		end_life(keeper);
		if (keeper->served && unmounted)
			return 0;
		if (!keeper->served)
			return 1; /* it never came up, and has said why */
		log_error("the worker died (%s %d); the mappings are kept, starting another",
			  WIFSIGNALED(status) ? "signal" : "status",
			  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		if (clock_now() - first > RESTART_SECONDS * CLOCK_SECOND) {
			first = clock_now();
			restarts = 0;
		}
		if (++restarts > RESTARTS_MAX) {
			log_error("the worker died %u times in a row: giving up", restarts);
			return 1;
		}
	}
}

int keeper_run(const struct keeper_settings *settings, int ready)
{
	static struct keeper keeper; /* for good: a thread that was left behind may use it */
	sigset_t signals;
	int status;

	keeper.settings = settings;
	keeper.ready = ready;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	keeper.signals = signalfd(-1, &signals, SFD_CLOEXEC);
	if (keeper.signals < 0) {
		log_error("signalfd: %s", strerror(errno));
		return 1;
	}
	keeper.died = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (keeper.died < 0) {
		log_error("eventfd: %s", strerror(errno));
		return 1;
	}
	keeper.mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (pmem2fs_table_export(&keeper.table)) {
		log_error("cannot make the table of mappings: %s", pmem2_errormsg());
		return 1;
	}
	descriptor_raise_limit(); /* a mapping takes one */
	keeper.commands = commands_new(worker_ready, &keeper);
	if (!keeper.commands) {
		log_error("cannot start: %s", strerror(ENOMEM));
		return 1;
	}
	keeper.listener = listen_begin(settings->socket);
	if (keeper.listener < 0)
		return 1;
	keeper.table = move_up(keeper.table);
	keeper.listener = move_up(keeper.listener);
	status = old_mount_clear(settings->mountpoint) ? 1 : supervise(&keeper);
	unlink(settings->socket);
	return status;
}
