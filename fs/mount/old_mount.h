/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * old_mount.h - clears the mount point before a daemon mounts there
 */
#ifndef PMEM2FS_MOUNT_OLD_MOUNT_H
#define PMEM2FS_MOUNT_OLD_MOUNT_H

/*
 * Unmounts what daemons have left whose processes were all killed. Returns 0 when a daemon may
 * mount there, or a negative errno after logging why not: a living daemon is mounted there, what is
 * mounted there does not answer within some seconds, or it is no directory. To be called before
 * this process has mappings: it forks a child, which may hang and would keep them.
 */
int old_mount_clear(const char *mountpoint);

#endif
