/* SPDX-License-Identifier: BSD-3-Clause */
/* devdax.h - the attributes of a device-DAX node in sysfs */
#ifndef PMEM2FS_LIB_DEVICE_DEVDAX_H
#define PMEM2FS_LIB_DEVICE_DEVDAX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

bool devdax_is(dev_t rdev);

/*
 * Returns -ENODEV, with a message, unless the node's memory can be mapped. While another process
 * still maps it, a node that is disabled or in use as system RAM can be opened, but mapping it
 * crashes Linux (6.1).
 */
int devdax_check(dev_t rdev);

/* Read at every call: a device can be resized while it exists. */
int devdax_size(dev_t rdev, size_t *size);
int devdax_alignment(dev_t rdev, size_t *alignment);

#endif
