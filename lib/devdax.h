/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devdax.h - what sysfs says of a device-DAX node
 */
#ifndef PMEM2FS_DEVDAX_H
#define PMEM2FS_DEVDAX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

bool devdax_is(dev_t rdev);

/* Read afresh at every call, for a device can be given another size while it exists. */
int devdax_size(dev_t rdev, size_t *size);
int devdax_alignment(dev_t rdev, size_t *alignment);

#endif
