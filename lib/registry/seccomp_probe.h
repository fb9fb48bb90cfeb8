/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * seccomp_probe.h - whether a seccomp filter would kill this process for publishing its mappings
 */
#ifndef PMEM2FS_LIB_REGISTRY_SECCOMP_PROBE_H
#define PMEM2FS_LIB_REGISTRY_SECCOMP_PROBE_H

#include <stdbool.h>

/*
 * Whether the calling thread survives the system calls that make and announce a table. run finds it
 * out, for the first thread of a process that needs a table; permits reports for any thread whether
 * it has the same filters as that thread and may make the calls. Both read a file in /proc. run may
 * fork a copy of the process, which takes longer the larger the process is; it is called without a
 * lock and by one thread at a time, and returns 0 or a negative errno. Neither allocates memory;
 * both change errno.
 */
int seccomp_probe_run(void);
bool seccomp_probe_permits(void);

#endif
