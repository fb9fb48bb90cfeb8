/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bell.h - the descriptor that a program waits on until there is something to do
 *
 * An epoll descriptor with a timer in it, and the connection to the daemon while there is one. None
 * of the functions takes a lock: release.c calls them with its own held.
 */
#ifndef PMEM2FS_BELL_H
#define PMEM2FS_BELL_H

#include <stdbool.h>
#include <stdint.h>

/* Makes the descriptors. Returns a negative errno; 0 and nothing else if they are there. */
int bell_make(void);

/* Whether they were made, and whether all of them are still what they were made as. */
bool bell_is_made(void);
bool bell_is_ours(void);

/* The descriptor to wait on; only while bell_is_ours. */
int bell_descriptor(void);

/* Closes what is still ours, and knows of none then. */
void bell_unmake(void);

/* Has it ring once a second, first in a second or at once; and not any more. */
void bell_ring(bool at_once);
void bell_rest(void);

/* Whether it has rung since the last call. */
bool bell_has_rung(void);

/*
 * Lets it ring for what happens at a socket, in place of what was set for it before. False: the
 * socket is not in it and cannot be added.
 */
bool bell_watch(int socket, uint32_t events);

/*
 * Before it is closed: a copy of it elsewhere would let the bell ring for ever. Not for a child,
 * whose epoll descriptor is also its parent's.
 */
void bell_forget(int socket);

#endif
