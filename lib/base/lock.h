/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lock.h - the locks of the library, among threads and across fork
 *
 * A thread cannot be cancelled while it holds a lock. fork waits for both locks, so that the child
 * finds what they guard consistent.
 *
 * A signal handler that interrupts a call of the library may fork, but may not call the library: it
 * would wait for its own thread, and without the lock it could unmap memory of another owner. The
 * process is aborted instead.
 */
#ifndef PMEM2FS_LIB_BASE_LOCK_H
#define PMEM2FS_LIB_BASE_LOCK_H

#include <stdbool.h>

/*
 * The library's lock guards all that the library owns. It is not held while a mapping is made or
 * unmapped.
 */
void library_lock(void);
void library_unlock(void);

/* With the lock held: releases it until library_wake is called, or for no reason. */
void library_wait(void);
void library_wake(void);

/*
 * For one thread at a time, which opens descriptors that no child may inherit. False: another
 * thread is doing so. The thread may take the library's lock meanwhile; a thread that holds the
 * library's lock may not call this.
 */
bool library_open_begin(void);
void library_open_end(void);

/* Whether this thread holds one of the locks: a fork interrupts a call then. */
bool library_is_interrupted(void);

/*
 * For fork: take both locks before it, and release them in the parent and in the child. In the
 * child the result is true if the fork interrupted a call that holds the library's lock: the call
 * goes on in the child, with the lock held.
 */
void library_before_fork(void);
void library_after_fork(void);
bool library_in_child(void);

#endif
