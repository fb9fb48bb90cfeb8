/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * proc.h - what /proc says of a process
 */
#ifndef PMEM2FS_PROC_H
#define PMEM2FS_PROC_H

#include "host/facts.h"
#include <stdbool.h>
#include <sys/types.h>

/* Where a symbolic link leads, to be freed. NULL when it cannot be read or memory runs out. */
char *proc_link(const char *path);

/*
 * A process as it is now: the old object when nothing has changed, else a new one. `old` may be
 * NULL. NULL when memory runs out.
 */
struct process_info *proc_process_info(pid_t pid, struct process_info *old);

/* Whether the process with that pid is the one that was looked at then, and not another one since.
 */
bool proc_is(pid_t pid, const struct process_info *owner);

#endif
