/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lock.h - who may use what the library owns, among threads and across fork
 *
 * A thread cannot be cancelled while it has a lock. fork waits for both locks, so a child gets
 * whatever they guard in order. A signal handler that interrupts a call of this library may fork,
 * and may do nothing else with the library: it would wait for itself, and to go on without the lock
 * could unmap what belongs to somebody else. The process is aborted instead.
 */
#ifndef PMEM2FS_LOCK_H
#define PMEM2FS_LOCK_H

#include <stdbool.h>

/* The lock of all that the library owns. Held over no mmap or munmap of a mapping. */
void library_lock(void);
void library_unlock(void);

/* With the lock held: gives it up until library_wake is called, or for no reason. */
void library_wait(void);
void library_wake(void);

/*
 * For one thread at a time, that has descriptors open which no child may inherit; false: another
 * one is at it. It may take the lock above meanwhile, and not the other way round.
 */
bool library_open_begin(void);
void library_open_end(void);

#endif
