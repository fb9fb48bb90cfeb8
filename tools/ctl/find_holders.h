/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * find_holders.h - finds who holds an object otherwise than by a mapping
 */
#ifndef PMEM2FS_CTL_FIND_HOLDERS_H
#define PMEM2FS_CTL_FIND_HOLDERS_H

#include "ctl/object.h"
#include "ctl/other_holders.h"
#include <stdbool.h>
#include <sys/types.h>

/*
 * Adds all holders. Opens in processes for which `maps` is true are left out: they are known for
 * their mappings.
 */
void find_holders(struct other_holders *holders, const struct object *object,
		  bool (*maps)(const void *context, pid_t pid), const void *context);

#endif
