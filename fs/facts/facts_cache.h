/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * facts_cache.h - what the kernel says of our mappings, at most a second old
 *
 * Nothing is looked at while nobody asks. Questions are collected while a thread is busy with
 * the ones before, and the neighbours of a mapping are looked at along with it, since whoever
 * reads one document will often read the next.
 */
#ifndef PMEM2FS_FACTS_FACTS_CACHE_H
#define PMEM2FS_FACTS_FACTS_CACHE_H

#include "base/clock.h"
#include "base/thread_pool.h"
#include "base/waiter.h"
#include "catalog/catalog.h"
#include "catalog/events.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define FACTS_CACHE_FRESH CLOCK_SECOND /* facts older than this are looked at again */

struct facts_cache;

/*
 * `keeper` is the process of the keeper. All else is borrowed; STUCK_THREADS_MAX lanes of the pool,
 * from `first_lane` on, are used. What has changed is sent to the subscribers of events. NULL when
 * memory runs out.
 */
struct facts_cache *facts_cache_new(struct catalog *catalog, struct events *events,
				    struct pool *pool, unsigned first_lane, pid_t keeper);
void facts_cache_free(struct facts_cache *facts_cache);

/* The process that holds the mappings, as it was last seen; borrowed. */
struct process_info *facts_cache_keeper(const struct facts_cache *facts_cache);

static inline bool facts_cache_is_fresh(const struct mapping *mapping, uint64_t now)
{
	return mapping_checked(mapping) && now - mapping_checked(mapping) < FACTS_CACHE_FRESH;
}

/*
 * Has the facts of `mapping` and of up to `more` that follow it looked at, and wakes the waiter
 * (NULL: nobody waits) when that is done or takes too long. Returns 0, or a negative errno when it
 * cannot be asked (the waiter is not woken then).
 */
int facts_cache_request(struct facts_cache *facts_cache, struct mapping *mapping, unsigned more,
			struct waiter *waiter);

/* What takes too long. Returns when something is due next, UINT64_MAX for never. */
uint64_t facts_cache_expire(struct facts_cache *facts_cache, uint64_t now);

#endif
