/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * find_process_holders.h - finds who among all processes holds an object
 */
#ifndef PMEM2FS_CTL_FIND_PROCESS_HOLDERS_H
#define PMEM2FS_CTL_FIND_PROCESS_HOLDERS_H

#include "ctl/object.h"
#include "ctl/other_holders.h"
#include <stdbool.h>
#include <sys/types.h>

/*
 * Adds the processes that hold the object, and the mounts of all namespaces that do; arguments and
 * result are those of find_holders. Ends after one look if a holder is known.
 */
bool find_process_holders(struct other_holders *holders, const struct object *object,
			  bool (*maps)(const void *context, pid_t pid), const void *context);

#endif
