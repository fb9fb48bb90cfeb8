/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dax_disk.h - whether a disk is persistent memory, as sysfs says
 */
#ifndef PMEM2FS_HOST_DAX_DISK_H
#define PMEM2FS_HOST_DAX_DISK_H

#include <sys/types.h>

/*
 * Whether the block device, or the disk of the partition, can have DAX: 1 or 0, or a negative
 * errno; -ENOENT: there is no such device, or it has gone.
 */
int dax_disk_is(dev_t dev);

#endif
