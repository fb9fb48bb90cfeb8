/* SPDX-License-Identifier: BSD-3-Clause */
/* locate.h - which pmem disk or DAX node a device number belongs to */
#ifndef PMEM2FS_LIB_DEVICE_LOCATE_H
#define PMEM2FS_LIB_DEVICE_LOCATE_H

#include "libpmem2fs.h"

/*
 * Finds a device in sysfs, much faster than pmem2fs_device_get. Sets blockdev or chardev, region,
 * size, sysfs_inode and the badblocks_ members; the others are empty or inapplicable. Errors: as
 * pmem2fs_device_get.
 */
int device_locate(dev_t dev, bool block, struct pmem2fs_device *device);

#endif
