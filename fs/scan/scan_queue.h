/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan_queue.h - has the scanner look at other processes, one look after the other
 *
 * Owns the scanner, which a thread of the pool uses, and the queue of looks that wait for it. What
 * it tells goes to the one whose `heard` it is. Used by the request loop alone.
 *
 * A process can make whoever looks at it wait, by a trick with old kernels for good. Nobody waits
 * longer than a few seconds for a look; a scanner that is stuck is left behind with its thread, and
 * another one begins anew, without that process.
 */
#ifndef PMEM2FS_SCAN_QUEUE_H
#define PMEM2FS_SCAN_QUEUE_H

#include "base/pool.h"
#include "base/waiter.h"
#include "scan/scanner.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct scan_listener {
	/*
	 * Something has changed; the news stay the caller's. `*room` is how many sightings may be
	 * taken in now, and is used up. False: called again for the rest.
	 */
	bool (*hear)(void *arg, struct scan_report *report, size_t *room);
	/* A look at that process alone has ended. */
	void (*looked)(void *arg, pid_t pid, uint64_t begun, uint64_t cost);
	/* Another scanner begins: all that was heard is not true any more. */
	void (*forget)(void *arg);
	void *arg;
};

struct scan_queue;

/*
 * `pool` is borrowed; STUCK_THREADS_MAX lanes of it, from `first_lane` on, are used. The keeper and
 * this process are not scanned. NULL when memory runs out.
 */
struct scan_queue *scan_queue_new(struct pool *pool, unsigned first_lane, pid_t keeper,
				  const struct scan_listener *ear);
void scan_queue_free(struct scan_queue *scan_queue);

/*
 * Has a look made that begins after this call. `waiter` (may be NULL) is woken when it is done, or
 * takes too long. Returns 0 or -ENOMEM.
 */
int scan_queue_request(struct scan_queue *scan_queue, enum scan_kind kind, pid_t pid,
		       struct waiter *waiter);

/* For the next look: see process_table_pass_table. Both descriptors are used up. */
void scan_queue_pass_table(struct scan_queue *scan_queue, pid_t pid, int pidfd, int table);
/* Whether a table waits for the next look: of that process, or of any (0). */
bool scan_queue_has_table(const struct scan_queue *scan_queue, pid_t pid);

/* A look at all is under way. */
bool scan_queue_scans_all(const struct scan_queue *scan_queue);

/*
 * When the last look of a kind was begun, and how long it took, in nanoseconds; 0: never. A look at
 * all is one at what is known, too, but costs more.
 */
struct scan_times {
	uint64_t searched;
	uint64_t known, known_cost;
};
struct scan_times scan_queue_times(const struct scan_queue *scan_queue);

/*
 * Has a scanner begin that knows of nothing, so that all is told again. False: a look is under way,
 * or memory runs out.
 */
bool scan_queue_restart(struct scan_queue *scan_queue);

/* Whether the last look at all saw everything. */
bool scan_queue_complete(const struct scan_queue *scan_queue);

/*
 * To be called in each round of the loop: takes in more of what a look has told, and sees to those
 * that take too long. Returns when something is due next, UINT64_MAX for never.
 */
uint64_t scan_queue_expire(struct scan_queue *scan_queue, uint64_t now);

#endif
