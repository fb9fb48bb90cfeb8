/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spawn.h - starting another process of the daemon
 *
 * Owns no data. Calls libc only.
 */
#ifndef PMEM2FS_BASE_SPAWN_H
#define PMEM2FS_BASE_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

#define SPAWN_SELF "/proc/self/exe"

/*
 * Starts `program` with the arguments `argv` (the last one is NULL), with no signal blocked, and
 * with copies of the `count` descriptors of `fds` under the numbers from `first` on; no descriptor
 * of `fds` may have one of these numbers. Returns 0 or a negative errno.
 */
int spawn_program(const char *program, char *const argv[], const int fds[], size_t count, int first,
		  pid_t *pid);

#endif
