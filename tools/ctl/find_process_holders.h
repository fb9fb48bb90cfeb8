/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * find_process_holders.h - finds the mounts and the open files of all processes
 */
#ifndef PMEM2FS_CTL_FIND_PROCESS_HOLDERS_H
#define PMEM2FS_CTL_FIND_PROCESS_HOLDERS_H

#include "ctl/object.h"
#include "ctl/other_holders.h"
#include <stdbool.h>
#include <sys/types.h>

/* Adds those that are of the object. As find_holders, it leaves out processes that map it. */
void find_process_holders(struct other_holders *holders, const struct object *object,
			  bool (*maps)(const void *context, pid_t pid), const void *context);

#endif
