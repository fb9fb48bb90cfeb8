/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mountinfo.h - which file system is mounted where, without touching any of them
 */
#ifndef PMEM2FS_MOUNT_MOUNTINFO_H
#define PMEM2FS_MOUNT_MOUNTINFO_H

#include <stdbool.h>
#include <sys/types.h>

struct mount_line {
	int id, parent;
	bool whole; /* the root of the file system is mounted, not a folder below it */
	dev_t dev;
	char type[64];     /* with its subtype: "ext4", "fuse.pmem2fs" */
	char target[4096]; /* the mount point, escapes undone; "" where no system call takes it */
	bool owned; /* a FUSE mount of user `uid`, who alone may enter it without allow_other */
	uid_t uid;
	gid_t gid;
};

/*
 * Finds a mount of the mount namespace of process `pid` (0: this process): by id, the topmost
 * one on `target`, or one of a device number. Returns 0, -ENOENT, or why /proc cannot be read.
 */
int mountinfo_by_id(pid_t pid, int id, struct mount_line *line);
int mountinfo_by_target(pid_t pid, const char *target, struct mount_line *line);
int mountinfo_by_device(pid_t pid, dev_t dev, struct mount_line *line);

/* Calls `each` for every mount of that mount namespace. Returns 0 or a negative errno. */
int mountinfo_each(pid_t pid, void (*each)(void *arg, const struct mount_line *line), void *arg);

/* The id of the mount that an open descriptor is on, or a negative errno. */
int mountinfo_id_of(int fd);

#endif
