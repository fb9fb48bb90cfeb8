// SPDX-License-Identifier: BSD-3-Clause
/*
 * stage.c - where the file systems are compared
 *
 * Everything lies on a tmpfs of our own in the name spaces that guard.c makes, which go away
 * with the last process in them. The daemon gets a signal to end when its parent does.
 */
#include "base/clock.h"
#include "bench/bench.h"
#include "bench/interrupt.h"
#include "bench/message.h"
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

static int failed(const char *what)
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
		return failed(path);
	if (ftruncate(fd, size))
		err = failed(path);
	close(fd);
	return err;
}

static int make_folders(struct bench_stage *stage, const struct options *options)
{
	if (mount("tmpfs", stage->root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"))
		return failed(stage->root);
	stage->mounted = true;
	snprintf(stage->side[1], sizeof(stage->side[1]), "%s/tmpfs", stage->root);
	snprintf(stage->source, sizeof(stage->source), "%s/source", stage->root);
	if (mkdir(stage->side[1], 0755))
		return failed(stage->side[1]);
	if (options->peer) {
		snprintf(stage->side[0], sizeof(stage->side[0]), "%s/pmem2fs-bench.XXXXXX",
			 options->peer);
		if (!mkdtemp(stage->side[0]))
			return failed(stage->side[0]);
		stage->peer = true;
	} else {
		snprintf(stage->side[0], sizeof(stage->side[0]), "%s/pmem2fs", stage->root);
		if (mkdir(stage->side[0], 0755))
			return failed(stage->side[0]);
	}
	return make_file(stage->source, (off_t)options->mappings * sysconf(_SC_PAGESIZE));
}

/* The child's half of starting the daemon. */
static _Noreturn void exec_daemon(const struct bench_stage *stage, const struct options *options,
				  pid_t parent)
{
	char log[320], mount_options[1024];
	int fd;

	snprintf(log, sizeof(log), "%s/log", stage->root);
	snprintf(mount_options, sizeof(mount_options), "socket=%s/socket%s%s", stage->root,
		 options->mount_options ? "," : "",
		 options->mount_options ? options->mount_options : "");
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(127);
	close(fd);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	execl(options->daemon, options->daemon, stage->side[0], "-f", "-o", mount_options,
	      (char *)NULL);
	fprintf(stderr, "%s: %m\n", options->daemon);
	_exit(127);
}

static int start_daemon(struct bench_stage *stage, const struct options *options)
{
	uint64_t deadline = clock_now() + START_SECONDS * CLOCK_SECOND;
	pid_t parent = getpid(), pid = fork();
	struct statfs fs;
	int status;

	if (pid < 0)
		return failed("fork");
	if (!pid)
		exec_daemon(stage, options, parent);
	stage->keeper = pid;
	while (statfs(stage->side[0], &fs) || fs.f_type != FUSE_MAGIC) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			stage->keeper = 0;
			message_error("%s ended with %s %d before it was mounted", options->daemon,
				      WIFSIGNALED(status) ? "signal" : "status",
				      WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
			bench_stage_show_log(stage);
			return -EIO;
		}
		if (interrupt_pending)
			return -EINTR;
		if (clock_now() > deadline) {
			message_error("%s is not mounted after %d s", options->daemon,
				      START_SECONDS);
			bench_stage_show_log(stage);
			return -ETIMEDOUT;
		}
		interrupt_sleep(10);
	}
	return 0;
}

int bench_stage_start(struct bench_stage *stage, const char *folder, const struct options *options)
{
	int err;

	*stage = (struct bench_stage){0};
	snprintf(stage->root, sizeof(stage->root), "%s", folder);
	err = make_folders(stage, options);
	if (!err && !options->peer)
		err = start_daemon(stage, options);
	return err;
}

static int stop_daemon(struct bench_stage *stage)
{
	uint64_t deadline = clock_now() + STOP_SECONDS * CLOCK_SECOND;
	int status, err = 0;

	kill(stage->keeper, SIGTERM);
	while (waitpid(stage->keeper, &status, WNOHANG) == 0) {
		if (clock_now() > deadline) {
			message_error("the daemon does not end on SIGTERM: killed");
			kill(stage->keeper, SIGKILL);
			err = -EIO;
			deadline = UINT64_MAX;
		}
		interrupt_sleep(10);
	}
	if (!err && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
		message_error("the daemon ended with %s %d",
			      WIFSIGNALED(status) ? "signal" : "status",
			      WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		bench_stage_show_log(stage);
		err = -EIO;
	}
	stage->keeper = 0;
	return err;
}

int bench_stage_stop(struct bench_stage *stage)
{
	int err = 0;

	if (stage->keeper)
		err = stop_daemon(stage);
	/* With --peer a folder on somebody else's file system, which bench_fs has emptied. */
	if (stage->peer && rmdir(stage->side[0]))
		err = failed(stage->side[0]);
	/* Or the folder cannot be removed from within this name space. */
	if (stage->mounted && umount2(stage->root, MNT_DETACH))
		err = failed(stage->root);
	return err;
}

void bench_stage_show_log(const struct bench_stage *stage)
{
	char path[320], text[2048];
	struct stat st;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "%s/log", stage->root);
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
