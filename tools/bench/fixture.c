// SPDX-License-Identifier: BSD-3-Clause
/*
 * fixture.c - the daemon and the folders on which file systems are compared
 *
 * Everything lies on a tmpfs of our own in the name spaces that supervisor.c makes, which go away
 * with the last process in them. The daemon gets a signal to end when its parent does.
 * Calls message.c and interrupt.c.
 */
#include "bench/fixture.h"
#include "base/clock.h"
#include "bench/interrupt.h"
#include "bench/message.h"
#include "bench/options.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define FUSE_MAGIC    0x65735546
#define START_SECONDS 30
#define STOP_SECONDS  10
#define FORGET_MS     300 /* for the worker to forget what the kernel dropped */

static int fixture_failed(const char *what)
{
	int err = -errno;

	message_error("%s: %m", what);
	return err;
}

static int make_file(const char *path, off_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int err = 0;

	if (fd < 0)
		return fixture_failed(path);
	if (ftruncate(fd, size))
		err = fixture_failed(path);
	close(fd);
	return err;
}

static int make_folders(struct fixture *fixture, const struct options *options)
{
	if (mount("tmpfs", fixture->root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"))
		return fixture_failed(fixture->root);
	fixture->mounted = true;
	snprintf(fixture->side[1], sizeof(fixture->side[1]), "%s/tmpfs", fixture->root);
	snprintf(fixture->source, sizeof(fixture->source), "%s/source", fixture->root);
	if (mkdir(fixture->side[1], 0755))
		return fixture_failed(fixture->side[1]);
	if (options->peer) {
		snprintf(fixture->side[0], sizeof(fixture->side[0]), "%s/pmem2fs-bench.XXXXXX",
			 options->peer);
		if (!mkdtemp(fixture->side[0]))
			return fixture_failed(fixture->side[0]);
		fixture->peer = true;
	} else {
		snprintf(fixture->side[0], sizeof(fixture->side[0]), "%s/pmem2fs", fixture->root);
		if (mkdir(fixture->side[0], 0755))
			return fixture_failed(fixture->side[0]);
	}
	return make_file(fixture->source, (off_t)options->mappings * sysconf(_SC_PAGESIZE));
}

/* The child's half of starting the daemon. */
static _Noreturn void exec_daemon(const struct fixture *fixture, const struct options *options,
				  pid_t parent)
{
	char log[320], mount_options[1024];
	int fd;

	snprintf(log, sizeof(log), "%s/log", fixture->root);
	snprintf(mount_options, sizeof(mount_options), "socket=%s/socket%s%s", fixture->root,
		 options->mount_options ? "," : "",
		 options->mount_options ? options->mount_options : "");
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(127);
	close(fd);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	execl(options->daemon, options->daemon, fixture->side[0], "-f", "-o", mount_options,
	      (char *)NULL);
	fprintf(stderr, "%s: %m\n", options->daemon);
	_exit(127);
}

static int start_daemon(struct fixture *fixture, const struct options *options)
{
	uint64_t deadline = clock_now() + START_SECONDS * CLOCK_SECOND;
	pid_t parent = getpid(), pid = fork();
	struct statfs fs;
	int status;

	if (pid < 0)
		return fixture_failed("fork");
	if (!pid)
		exec_daemon(fixture, options, parent);
	fixture->keeper = pid;
	while (statfs(fixture->side[0], &fs) || fs.f_type != FUSE_MAGIC) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			fixture->keeper = 0;
			message_error("%s ended with %s %d before it was mounted", options->daemon,
				      WIFSIGNALED(status) ? "signal" : "status",
				      WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
			fixture_print_log(fixture);
			return -EIO;
		}
		if (interrupt_pending)
			return -EINTR;
		if (clock_now() > deadline) {
			message_error("%s is not mounted after %d s", options->daemon,
				      START_SECONDS);
			fixture_print_log(fixture);
			return -ETIMEDOUT;
		}
		interrupt_sleep(10);
	}
	return 0;
}

int fixture_start(struct fixture *fixture, const char *folder, const struct options *options)
{
	int err;

	*fixture = (struct fixture){0};
	snprintf(fixture->root, sizeof(fixture->root), "%s", folder);
	err = make_folders(fixture, options);
	if (!err && !options->peer)
		err = start_daemon(fixture, options);
	return err;
}

void fixture_use_socket(const struct fixture *fixture)
{
	char socket[sizeof(fixture->root) + sizeof("/socket")];

	snprintf(socket, sizeof(socket), "%s/socket", fixture->root);
	setenv("PMEM2FS_SOCKET", socket, 1);
}

int fixture_drop_caches(const struct fixture *fixture)
{
	if (mount(NULL, fixture->side[0], NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, NULL))
		return fixture_failed(fixture->side[0]);
	return interrupt_sleep(FORGET_MS);
}

static int stop_daemon(struct fixture *fixture)
{
	uint64_t deadline = clock_now() + STOP_SECONDS * CLOCK_SECOND;
	int status, err = 0;

	kill(fixture->keeper, SIGTERM);
	while (waitpid(fixture->keeper, &status, WNOHANG) == 0) {
		if (clock_now() > deadline) {
			message_error("the daemon does not end on SIGTERM: killed");
			kill(fixture->keeper, SIGKILL);
			err = -EIO;
			deadline = UINT64_MAX;
		}
		interrupt_sleep(10);
	}
	if (!err && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
		message_error("the daemon ended with %s %d",
			      WIFSIGNALED(status) ? "signal" : "status",
			      WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		fixture_print_log(fixture);
		err = -EIO;
	}
	fixture->keeper = 0;
	return err;
}

int fixture_stop(struct fixture *fixture)
{
	int err = 0;

	if (fixture->keeper)
		err = stop_daemon(fixture);
	/* With --peer a folder on another file system, which files.c has emptied. */
	if (fixture->peer && rmdir(fixture->side[0]))
		err = fixture_failed(fixture->side[0]);
	/* Or the folder cannot be removed from within this name space. */
	if (fixture->mounted && umount2(fixture->root, MNT_DETACH))
		err = fixture_failed(fixture->root);
	return err;
}

void fixture_print_log(const struct fixture *fixture)
{
	char path[320], text[2048];
	struct stat st;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "%s/log", fixture->root);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!fstat(fd, &st)) {
		off_t from =
			st.st_size > (off_t)sizeof(text) ? st.st_size - (off_t)sizeof(text) : 0;

		length = pread(fd, text, sizeof(text), from);
		if (length > 0)
			fprintf(stderr, "the end of the daemon's log:\n%.*s", (int)length, text);
	}
	close(fd);
}
