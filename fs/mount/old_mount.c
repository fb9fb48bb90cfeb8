/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * old_mount.c - see old_mount.h
 *
 * A daemon lives if it answers a request. statfs(2) always sends one, whereas the kernel may answer
 * stat(2) from its cache, for a second even when the daemon is dead. If there is no daemon the
 * kernel returns an error at once. If the daemon hangs, the caller hangs too, and no signal ends
 * it: so a child makes the call, and is left behind when that takes too long.
 */
#include "mount/old_mount.h"
#include "base/folder_lock.h"
#include "base/log.h"
#include "mount/mounted.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS 5000

/*
 * Runs in the child. It closes all other descriptors: sockets and pipes would stay in use as long
 * as it hangs. It becomes the owner of the mount, whose requests the kernel passes to the daemon:
 * root's statfs may be answered by the kernel itself.
 */
static _Noreturn void touch(int place, const struct mount_line *line)
{
	struct statfs fs;
	struct stat st;

	if (dup2(place, STDIN_FILENO) < 0 || close_range(STDIN_FILENO + 1, ~0U, 0))
		_exit(errno);
	if (line->owned && geteuid() == 0 &&
	    (setresgid(line->gid, line->gid, line->gid) ||
	     setresuid(line->uid, line->uid, line->uid)))
		_exit(errno);
	if (fstatfs(STDIN_FILENO, &fs) || fstat(STDIN_FILENO, &st))
		_exit(errno);
	_exit(S_ISDIR(st.st_mode) ? 0 : ENOTDIR);
}

/* Returns 0 if the place is a directory of a file system that answers, or a negative errno. */
static int touch_in_child(int place, const struct mount_line *line)
{
	struct pollfd ends = {.events = POLLIN};
	int status = 0, error = -ETIMEDOUT;
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (!child)
		touch(place, line);
	ends.fd = (int)syscall(SYS_pidfd_open, child, 0);
	if (ends.fd < 0)
		error = -errno;
	if (ends.fd >= 0 && poll(&ends, 1, ANSWER_MS) > 0 && waitpid(child, &status, 0) == child)
		error = WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
	else
		kill(child, SIGKILL);
	if (ends.fd >= 0)
		close(ends.fd);
	return error;
}

/* Unmounts a pmem2fs whose daemon is dead. Returns 0 or a negative errno. */
static int remove_dead(int place, const struct mount_line *line, const char *mountpoint, int answer)
{
	struct mount_line now;
	int error;

	if (answer == -ETIMEDOUT) {
		log_error("%s: pmem2fs is mounted there already, and does not answer", mountpoint);
		return -EBUSY;
	}
	if (answer != -ENOTCONN && answer != -ECONNABORTED) {
		log_error("%s: pmem2fs is mounted there already", mountpoint);
		return -EBUSY;
	}
	log_info("%s: taking away the dead mount of an earlier daemon", mountpoint);
	error = mounted_detach(place, mountpoint, 0);
	if (error && mountinfo_by_id(0, line->id, &now) == -ENOENT)
		error = 0; /* it was unmounted meanwhile */
	if (error)
		log_error("%s: cannot unmount the dead mount: %s", mountpoint, strerror(-error));
	return error;
}

int old_mount_clear(const char *mountpoint)
{
	int lock = folder_lock(mountpoint), error;
	struct mount_line line;
	bool again;

	do {
		int place = mounted_open(mountpoint, &line);

		error = place < 0 ? place : touch_in_child(place, &line);
		again = place >= 0 && mounted_is_pmem2fs(&line, mountpoint);
		if (again)
			error = remove_dead(place, &line, mountpoint, error);
		else if (error)
			log_error("%s: %s", mountpoint,
				  error == -ETIMEDOUT ? "what is mounted there does not answer"
						      : strerror(-error));
		if (place >= 0)
			close(place);
	} while (again && !error);
	folder_unlock(lock);
	return error;
}
