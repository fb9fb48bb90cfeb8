/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * folder_lock.h - a lock on a folder, for changing its entries and what is mounted on them
 *
 * Daemons that start at the same time would otherwise remove each other's socket, or mount over
 * each other.
 */
#ifndef PMEM2FS_BASE_FOLDER_LOCK_H
#define PMEM2FS_BASE_FOLDER_LOCK_H

/*
 * Locks the folder that contains `path`. Returns a descriptor that holds the lock until it is
 * closed. Programs that are started meanwhile inherit it: fusermount3 may outlive this process.
 * Waits for the lock for two seconds at most. Returns -1 without the lock, and the caller goes on:
 * a user may have no right to open the folder, and any user who can read the folder can keep its
 * lock for ever.
 */
int folder_lock(const char *path);
void folder_unlock(int lock);

#endif
