/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * release.h - asks processes to release their mappings
 *
 * Owns the requests that are under way and, in release_peer.c, the connections of libraries
 * (wire.h). Calls the catalog and the process table. Used by the request loop alone.
 *
 * A request with no more patience than SHORT_PATIENCE is an rm, during which others have to wait.
 * After a process has let a request time out, each rm is refused at once until the process has sent
 * any answer. So it can make others wait only once. A process that answers late can make them wait
 * again and again, but only for a small share of the time if it is not root's.
 */
#ifndef PMEM2FS_CHANGE_RELEASE_H
#define PMEM2FS_CHANGE_RELEASE_H

#include "change/completion.h"
#include <stddef.h>
#include <sys/socket.h> /* struct ucred */

struct catalog;
struct hold_up;
struct mapping;
struct process_table;
struct receivers;
struct releases;

/* All are borrowed. NULL when memory runs out. */
struct releases *releases_new(struct catalog *catalog, struct process_table *process_table,
			      struct receivers *receivers, struct hold_up *hold_up, int first,
			      int users);
/* While no process is being scanned for a request. `finished` is not called. */
void releases_free(struct releases *releases);

/*
 * Takes over a connection of the process `pidfd`, whose first packet is `packet`, with the
 * descriptor that came along: see release_peers_accept. Takes ownership of the three descriptors.
 */
void releases_take(struct releases *releases, int socket, const struct ucred *who, int pidfd,
		   const void *packet, size_t size, int fd);

/* A request that is under way. */
struct release;

/*
 * Has a published mapping released. Calls `finished` exactly once, at once or later: with 0 when
 * the kernel shows that the mapping is gone, else with a positive errno and why; with EBUSY when
 * that is not so within `patience` nanoseconds, or, when the process says that it has released the
 * mapping, within SHORT_PATIENCE after that. *handle is what release_withdraw takes until then,
 * and NULL from then on. The caller has checked the rights, and that the mapping has no observer.
 */
void release_begin(struct releases *releases, struct mapping *mapping, uint64_t patience,
		   completion *finished, void *arg, struct release **handle);

/* The caller no longer waits: `finished` is not called. What has not begun never will. */
void release_withdraw(struct release *release);

/*
 * Ends what is overdue, and frees connections that have ended: to be called between two rounds of
 * the loop. Returns when something is due next, UINT64_MAX for never.
 */
uint64_t releases_expire(struct releases *releases, uint64_t now);

#endif
