/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mounted.c - see mounted.h
 */
#include "mount/mounted.h"
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int mounted_open(const char *mountpoint, struct mount_line *line)
{
	int place = open(mountpoint, O_PATH | O_NOFOLLOW | O_CLOEXEC), id, error;

	if (place < 0)
		return -errno;
	id = mountinfo_id_of(place);
	error = id < 0 ? id : mountinfo_by_id(0, id, line);
	if (!error)
		return place;
	close(place);
	return error;
}

bool mounted_is_pmem2fs(const struct mount_line *line, const char *mountpoint)
{
	return !strcmp(line->type, "fuse.pmem2fs") && !strcmp(line->target, mountpoint);
}

int mounted_detach(int place, const char *mountpoint, int flags)
{
	char *const argv[] = {"fusermount3", "-u", "-z", "-q", "--", (char *)mountpoint, NULL};
	char path[64];
	int status;
	pid_t pid;

	if (geteuid() == 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
		return umount2(path, MNT_DETACH | flags) ? -errno : 0;
	}
	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ))
		return -ENOENT;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status ? -EPERM : 0;
}
