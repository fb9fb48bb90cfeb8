/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mount.h - mounts the file system and takes the mount away
 *
 * A layer below host because both processes use it: the keeper mounts, and a worker whose keeper
 * was killed takes the mount away.
 */
#ifndef PMEM2FS_MOUNT_MOUNT_H
#define PMEM2FS_MOUNT_MOUNT_H

#include <stdbool.h>
#include <sys/types.h>

struct mount;

/*
 * Mounts on `mountpoint`, by mount(2) for root and by fusermount3 for others; `source` is the name
 * that mount(8) and df show. A mount by root lets other users in; one by another user does so with
 * `allow_other`, which fusermount3 may refuse. Never mounts over another pmem2fs, dead or alive
 * (-EBUSY). Returns 0 or a negative errno, after logging why.
 */
int mount_begin(const char *source, const char *mountpoint, bool allow_other, struct mount **mount);

/* The connection to the kernel, and the device number by which the kernel knows the mount. */
int mount_fd(const struct mount *mount);
dev_t mount_device(const struct mount *mount);

/* Whether it is still mounted, as far as this process can see. True where that is not known. */
bool mount_is_there(const struct mount *mount);

/* Takes the mount away if it is still there, and frees `mount`. Callers that wait get an error. */
void mount_end(struct mount *mount);

/*
 * The same without a struct mount: takes away what is mounted on `mountpoint` if it is a pmem2fs
 * with that device number.
 */
void mount_take_away(const char *mountpoint, dev_t dev);

#endif
