/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mounted.h - describes and removes what is mounted on a mount point, without accessing it
 */
#ifndef PMEM2FS_MOUNT_MOUNTED_H
#define PMEM2FS_MOUNT_MOUNTED_H

#include "mount/mountinfo.h"
#include <stdbool.h>

/*
 * Opens `mountpoint`, a path from mountpoint_resolve, with O_PATH, and describes its topmost mount.
 * The path may lead to another mount later; the descriptor does not. Returns the descriptor or a
 * negative errno.
 */
int mounted_open(const char *mountpoint, struct mount_line *line);

/* Whether the mount is a pmem2fs whose mount point is `mountpoint`. */
bool mounted_is_pmem2fs(const struct mount_line *line, const char *mountpoint);

/*
 * Unmounts what mounted_open has opened: lazily, so that it may be in use. Root does so by
 * umount2(2), with additional `flags`; other users by fusermount3, which takes the path. Returns 0
 * or a negative errno.
 */
int mounted_detach(int place, const char *mountpoint, int flags);

#endif
