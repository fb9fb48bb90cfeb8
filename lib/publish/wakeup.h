/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wakeup.h - the descriptor that a program waits on until there is something to do
 *
 * It is an epoll descriptor that contains a timer, and the connection to the daemon while there is
 * one. No function takes a lock: release.c calls them with its own lock held.
 */
#ifndef PMEM2FS_LIB_PUBLISH_WAKEUP_H
#define PMEM2FS_LIB_PUBLISH_WAKEUP_H

#include <stdbool.h>
#include <stdint.h>

/* Makes the descriptors unless they exist. Returns 0 or a negative errno. */
int wakeup_make(void);

/* Whether the descriptors were made, and whether each still refers to what was made. */
bool wakeup_is_made(void);
bool wakeup_is_ours(void);

/* The descriptor to wait on; valid only while wakeup_is_ours. */
int wakeup_descriptor(void);

/* Closes the descriptors that are still ours and forgets all of them. */
void wakeup_unmake(void);

/* Sets the timer to expire once a second, first at once or in a second; and stops it. */
void wakeup_arm(bool at_once);
void wakeup_disarm(void);

/* Whether the timer has expired since the last call. */
bool wakeup_has_expired(void);

/*
 * Wakes the program for these events of a socket, which replace the events that were set before.
 * False: the socket is not in the epoll descriptor and cannot be added.
 */
bool wakeup_watch(int socket, uint32_t events);

/*
 * Called before a watched socket is closed: while a copy of it is open elsewhere, it would go on
 * waking the program. Not for the child of a fork, whose epoll descriptor is also its parent's.
 */
void wakeup_unwatch(int socket);

#endif
