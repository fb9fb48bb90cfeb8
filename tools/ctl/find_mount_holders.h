/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * find_mount_holders.h - the mounts that hold an object
 */
#ifndef PMEM2FS_CTL_FIND_MOUNT_HOLDERS_H
#define PMEM2FS_CTL_FIND_MOUNT_HOLDERS_H

#include "ctl/mounts.h"
#include "ctl/object.h"
#include "ctl/other_holders.h"
#include <sys/types.h>

/*
 * The device number of the file system that a file or mount point is on, as in mount tables and
 * maps. On btrfs stat gives another one for each subvolume.
 */
dev_t mount_holders_filesystem(const struct mounts *mounts, const struct object *object);

/* Adds the mounts that hold the object. */
void find_mount_holders(struct other_holders *holders, const struct object *object,
			const struct mounts *mounts);

#endif
