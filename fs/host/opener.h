/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * opener.h - opens what is to be mapped, trusting nobody
 *
 * To be called in a thread of a pool: a thread that touches a user's path or descriptor may hang.
 */
#ifndef PMEM2FS_HOST_OPENER_H
#define PMEM2FS_HOST_OPENER_H

#include "host/identity.h"
#include <stdbool.h>
#include <sys/types.h>

#define OPENER_WHY_LENGTH 256

/*
 * Opens `path` with the rights of `identity`. Before the file is opened for real it is known to
 * be a regular file or a device-DAX node, on a file system that cannot hang: not FUSE, not a
 * network file system, not one of the kernel's own. Returns the descriptor or a negative errno with
 * the reason in `why` (OPENER_WHY_LENGTH bytes).
 */
int opener_open(const struct identity *identity, const char *path, bool write, char *why);

/*
 * Allocates blocks (allocate.h) for these bytes of a file that opener_open has opened for writing,
 * with the rights of `identity`: quotas, and the blocks that the file system reserves for root,
 * hold. Returns 0 or a negative errno with the reason.
 */
int opener_allocate(const struct identity *identity, int fd, uint64_t offset, uint64_t length,
		    char *why);

/*
 * Checks a descriptor that process `peer` has opened and passed by the same rules. Returns 0 or a
 * negative errno with the reason.
 */
int opener_check(int fd, pid_t peer, char *why);

/* Whether files on that mount, which process `peer` has one mapped of, may be asked by those rules.
 */
bool opener_is_safe(int mount, pid_t peer);

/*
 * Whether no file system that may hang is mounted on the way to `path`, which is absolute and
 * without symbolic links. The root file system does not count: each path in /proc leads through it.
 */
bool opener_way_is_safe(const char *path);

/* The name of what is behind a descriptor, to be freed, or NULL. Nothing is touched. */
char *opener_path(int fd);

#endif
