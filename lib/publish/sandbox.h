/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sandbox.h - whether a seccomp filter would kill this process for being seen
 */
#ifndef PMEM2FS_SANDBOX_H
#define PMEM2FS_SANDBOX_H

#include <stdbool.h>

/*
 * Whether the calling thread can make the system calls that tables and their announcement take and
 * live: examine finds it out, for the first one in a process that wants a table; permits tells
 * later, of any thread, whether it is as that one was. Each reads a file in /proc; examine may also
 * have a copy of the process try the calls, which takes the longer the larger it is, and is called
 * with no lock held and by one thread at a time: 0 or a negative errno. They allocate nothing and
 * change errno.
 */
int sandbox_examine(void);
bool sandbox_permits(void);

#endif
