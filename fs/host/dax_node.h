/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dax_node.h - what sysfs says of device-DAX nodes
 *
 * Owns nothing; used in any thread.
 */
#ifndef PMEM2FS_HOST_DAX_NODE_H
#define PMEM2FS_HOST_DAX_NODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Whether a character device is a device-DAX node. False with errno 0: it is something else; with
 * ENOENT: it is not in sysfs.
 */
bool dax_node_is(dev_t rdev);

/* An attribute that is a number, like "size". False when it cannot be had. */
bool dax_node_number(dev_t rdev, const char *name, uint64_t *number);

#endif
