/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devdax.h - what sysfs says of a device-DAX node
 */
#ifndef PMEM2FS_LIB_DEVICE_DEVDAX_H
#define PMEM2FS_LIB_DEVICE_DEVDAX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

bool devdax_is(dev_t rdev);

/*
 * -ENODEV unless its memory can be mapped. A node that is disabled or in use as system RAM opens as
 * ever while somebody has it mapped from before, and Linux (6.1) crashes when it is mapped then.
 */
int devdax_check(dev_t rdev);

/* Read afresh at every call, for a device can be given another size while it exists. */
int devdax_size(dev_t rdev, size_t *size);
int devdax_alignment(dev_t rdev, size_t *alignment);

#endif
