/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * facts_cache.h - keeps the facts of shown mappings fresh: at most a second old
 *
 * Nothing is read unless somebody asks. Queries are collected while a thread is busy with earlier
 * ones, and the mappings that follow are read along, since a reader of one document will often read
 * the next. Owns the facts readers; writes what they find to the catalog, and changes to its
 * events. Used by the request loop alone.
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

#define FACTS_CACHE_FRESH    CLOCK_SECOND       /* facts that are older are read again */
#define FACTS_CACHE_PATIENCE (5 * CLOCK_SECOND) /* the longest wait for facts */

struct facts_cache;
struct process_table;

/*
 * `keeper` is the process of the keeper. All else is borrowed; STUCK_THREADS_MAX lanes of the pool,
 * from `first_lane` on, are used. What has changed is sent to the subscribers of events. NULL when
 * memory runs out.
 */
struct facts_cache *facts_cache_new(struct catalog *catalog, struct events *events,
				    struct pool *pool, unsigned first_lane, pid_t keeper);
void facts_cache_free(struct facts_cache *facts_cache);

/*
 * The areas of a process that a scan of that process table has just found are not read again where
 * the files of its mappings are known. Borrowed; without it, all areas are read.
 */
void facts_cache_use_scans(struct facts_cache *facts_cache,
			   const struct process_table *process_table);

/* The process of the keeper, as it was last read; borrowed. */
struct process_info *facts_cache_keeper(const struct facts_cache *facts_cache);

static inline bool facts_cache_is_fresh(const struct mapping *mapping, uint64_t now)
{
	return mapping_checked(mapping) && now - mapping_checked(mapping) < FACTS_CACHE_FRESH;
}

/*
 * Has the facts of `mapping` read, and those of up to `more` mappings that follow it unless they
 * are fresh. With `more` not 0, they may be a tenth of a second older than the call, unless one of
 * the mappings has changed (mapping_has_changed). Wakes the
 * waiter (NULL: nobody waits) when that is done or takes too long. Returns 0, or a negative errno;
 * then the waiter is not woken. A mapping that was asked for and whose facts could not be read says
 * from then on that they are pending (catalog_set_pending).
 */
int facts_cache_request(struct facts_cache *facts_cache, struct mapping *mapping, unsigned more,
			struct waiter *waiter);

/*
 * To be called before the document is shown without waiting: it says that facts are pending, unless
 * they are fresh.
 */
void facts_cache_give_up(struct facts_cache *facts_cache, struct mapping *mapping);

/*
 * Wakes waiters that have waited too long, leaves a thread behind that hangs, and frees what was
 * kept for a moment. Returns when to call it again, UINT64_MAX for never.
 */
uint64_t facts_cache_expire(struct facts_cache *facts_cache, uint64_t now);

#endif
