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
 * Adds all holders but processes for which `maps` is true: they are reported by their mappings.
 * Returns false, and adds a doubt, if reading about a process hung: the thread that hangs is left
 * behind and still uses `object` and `context`.
 */
bool find_holders(struct other_holders *holders, const struct object *object,
		  bool (*maps)(const void *context, pid_t pid), const void *context);

#endif
