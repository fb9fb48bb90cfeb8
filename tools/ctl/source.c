// SPDX-License-Identifier: BSD-3-Clause
/*
 * source.c - opens the file to map, with the rights of the user of pmem2ctl
 *
 * The daemon gets the descriptor and need not trust the path. Opening a FIFO blocks, and opening
 * some device nodes does things, so the kind of the file is checked first. Calls sysfs.c and
 * report.c.
 */

#include "ctl/source.h"
#include "ctl/report.h"
#include "ctl/sysfs.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *file_kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "directory";
	case S_IFIFO:
		return "FIFO";
	case S_IFSOCK:
		return "socket";
	case S_IFBLK:
		return "block device";
	case S_IFCHR:
		return "character device other than device DAX";
	default:
		return "file of an unknown kind";
	}
}

int source_open(const char *path, bool writable)
{
	struct stat status;
	char link[32];
	int fd = -1;
	int found;

	found = open(path, O_PATH | O_CLOEXEC);
	if (found < 0) {
		report(path, "%s", strerror(errno));
		return -1;
	}
	if (fstat(found, &status)) {
		report(path, "%s", strerror(errno));
		goto close_found;
	}
	if (!S_ISREG(status.st_mode) &&
	    !(S_ISCHR(status.st_mode) && sysfs_is_device_dax(status.st_rdev))) {
		report(path, "is a %s; only regular files and device-DAX nodes can be mapped",
		       file_kind(status.st_mode));
		goto close_found;
	}
	/* Through the descriptor, so that the file that was checked is the one that gets opened. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
	fd = open(link, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		report(path, "cannot open for %s: %s", writable ? "writing" : "reading",
		       strerror(errno));

close_found:
	close(found);
	return fd;
}
