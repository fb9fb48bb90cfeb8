/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * where.h - finds the path of a mounted file system
 */
#ifndef PMEM2FS_MOUNT_WHERE_H
#define PMEM2FS_MOUNT_WHERE_H

#include <sys/types.h>

/*
 * Sets *path, to be freed, to a path that leads to the root of the file system with that device
 * number, in the mount namespace of this process: `usual` if it does, NULL if the file system is
 * mounted nowhere or other mounts hide it. Accesses no file system. Returns 0 or a negative errno.
 */
int mount_where(dev_t dev, const char *usual, char **path);

#endif
