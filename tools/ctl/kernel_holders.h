/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_holders.h - what the kernel itself has open of an object
 */
#ifndef PMEM2FS_CTL_KERNEL_HOLDERS_H
#define PMEM2FS_CTL_KERNEL_HOLDERS_H

#include "ctl/look.h"
#include "ctl/other_holders.h"

/* Adds swap space, loop devices, exports and others, which no process has open. */
void find_kernel_holders(struct other_holders *holders, const struct look *look);

#endif
