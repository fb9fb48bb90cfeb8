/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * release.h - handlers that give mappings up when the daemon asks
 */
#ifndef PMEM2FS_LIB_PUBLISH_RELEASE_H
#define PMEM2FS_LIB_PUBLISH_RELEASE_H

#include <stdbool.h>

/* The number of requests that may wait for WIRE_GO; further ones are refused. */
#define RELEASE_REQUESTS_MAX 1024

/*
 * The number of packets that one call of pmem2fs_dispatch handles, so that it returns whatever the
 * daemon sends.
 */
#define RELEASE_PACKETS_MAX 64

/*
 * For fork: take the lock before it, and release it in the parent and in the child, which closes
 * its copies of the descriptors. Where the thread holds a lock of base/lock.h already, this lock is
 * only tried.
 */
void release_before_fork(void);
void release_after_fork(void);
void release_in_child(void);

#endif
