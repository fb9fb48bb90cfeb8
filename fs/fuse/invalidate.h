/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * invalidate.h - makes the kernel forget what it knows of a name
 *
 * A thread of its own does it: the kernel waits for locks that a request in progress holds, so that
 * neither the request loop nor a handler may.
 */
#ifndef PMEM2FS_FUSE_INVALIDATE_H
#define PMEM2FS_FUSE_INVALIDATE_H

#include "base/clock.h"
#include "base/waiter.h"
#include <stdbool.h>
#include <stdint.h>

struct fuse_session;
struct leftovers;
struct notice;
struct pool;

struct invalidate {
	/* Through which session, and in which lane of which pool. All are borrowed. */
	struct fuse_session *session;
	struct pool *helpers;
	unsigned lane;
	/* Of invalidate.c: leftovers are being invalidated. */
	bool busy;
	struct waiter *waiting; /* for the end of an invalidation; the oldest waiter is the first */
	struct notice *soon;    /* names of invalidate_soon; NULL: none */
	uint64_t soon_due;      /* when they are to be sent */
};

/*
 * The name no longer means what it meant. Returns at once. Where this fails, the kernel sees the
 * change when the validity of the name ends.
 */
void invalidate_name(const struct invalidate *invalidate, const char *name);

/* So late at most invalidate_soon has the name invalidated. */
#define INVALIDATE_SOON (CLOCK_SECOND / 100)

/*
 * The same for a name that the kernel never uses without asking: it is only to forget what it has
 * of it. A thread is woken once for all names that come within INVALIDATE_SOON.
 */
void invalidate_soon(struct invalidate *invalidate, const char *name);

/*
 * Wakes the waiter when the kernel has dropped all leftovers that it caches now. That is after
 * LEFTOVERS_CACHED at most. Returns 0, or 1: it caches none, and the waiter is not woken.
 */
int invalidate_wait(struct invalidate *invalidate, const struct leftovers *leftovers,
		    struct waiter *waiter);

/*
 * Has the kernel forget the leftovers that are due, some at a time, and the names of
 * invalidate_soon. To be called in each round of
 * the loop. Returns when it is due next, UINT64_MAX for never.
 */
uint64_t invalidate_leftovers(struct invalidate *invalidate, struct leftovers *leftovers,
			      uint64_t now);

#endif
