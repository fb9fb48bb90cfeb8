/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mountpoint.h - the canonical path of a mount point
 */
#ifndef PMEM2FS_MOUNT_MOUNTPOINT_H
#define PMEM2FS_MOUNT_MOUNTPOINT_H

/*
 * Returns the absolute path without symbolic links, "." and "..", as in the list of mounts, to be
 * freed; NULL with errno. Unlike realpath(3) it does not access a file system that is mounted on
 * the path, which may be dead or hang.
 */
char *mountpoint_resolve(const char *path);

#endif
