/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * release.h - asks processes to release their mappings
 *
 * Owns the connections of libraries (wire.h): those that hand over a table and those that stay to
 * be asked. Used by the request loop alone.
 *
 * A request that has no more patience than SHORT_PATIENCE is an rm, which holds others up. From a
 * process that lets a request time out no rm is asked for, and each is refused at once, until it
 * has answered anything: so it can make others wait only once. One that answers late makes them
 * wait again and again, for a small share of the time in all if it is not root's.
 */
#ifndef PMEM2FS_RELEASE_H
#define PMEM2FS_RELEASE_H

#include "change/completion.h"
#include <sys/socket.h> /* struct ucred */

struct catalog;
struct mapping;
struct process_table;
struct releases;

/* All are borrowed. NULL when memory runs out. */
struct releases *releases_new(struct catalog *catalog, struct process_table *process_table,
			      int epoll);
/* While no process is being looked at. `finished` is not called. */
void releases_free(struct releases *releases);

/*
 * Takes over a connection whose first packet is `message` (of any size; what is none of wire.h ends
 * it), with the descriptor that came along (-1: none). All are used up.
 */
void releases_take(struct releases *releases, int socket, const struct ucred *peer,
		   const void *message, size_t size, int fd);

/* A request that is under way. */
struct release;

/*
 * Has a published mapping released. Ends in exactly one call of `finished`, in the loop, at once or
 * later: 0 when the kernel shows that it is gone, else a positive errno and why; EBUSY when that is
 * not so within `patience` nanoseconds. *handle is what release_withdraw takes until then, and NULL
 * from then on. Rights, and that the mapping has no observer, are checked by the caller.
 */
void release_begin(struct releases *releases, struct mapping *mapping, uint64_t patience,
		   completion *finished, void *arg, struct release **handle);

/* Whoever asked has gone: `finished` is not called. What has not begun never will. */
void release_withdraw(struct release *release);

/*
 * Ends what is overdue, and frees connections that have ended: to be called between two rounds of
 * the loop. Returns when something is due next, UINT64_MAX for never.
 */
uint64_t releases_expire(struct releases *releases, uint64_t now);

#endif
