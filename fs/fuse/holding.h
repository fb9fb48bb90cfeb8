/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * holding.h - how long the kernel's requests of a user may wait while the directory is locked
 *
 * The kernel holds a lock on the directory during LOOKUP and READDIR. A LOOKUP for an open that may
 * create keeps everybody else out, and LOOKUPs and READDIRs keep those out who create and remove.
 * So a LOOKUP of a user other than root waits for a tenth of a second at most, a READDIR for facts
 * as well, and a user whose requests have waited too long together (hold_up.h) waits no more: it
 * gets what is known. Root, and the daemon's own user, wait as long as it takes. Used by the
 * request loop alone.
 */
#ifndef PMEM2FS_FUSE_HOLDING_H
#define PMEM2FS_FUSE_HOLDING_H

#include "base/waiter.h"
#include "change/hold_up.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct holding;
TAILQ_HEAD(holding_list, holding);

struct holdings {
	struct hold_up *hold_up;     /* borrowed */
	struct holding_list waiting; /* the waits with a time limit, sorted by it */
	struct holding_list
		overdue; /* those that have ended here, and not yet at the other module */
};

void holdings_begin(struct holdings *holdings, struct hold_up *hold_up);

/*
 * What is to wait, at another module, so that `waiter` is woken in time for a request that came at
 * `since`. Without a scan (HOLD_UP_SCAN) names may be missing, without facts (HOLD_UP_FACTS) a
 * document is pending. NULL: the user may not wait, or memory runs out.
 */
struct waiter *holding_begin(struct holdings *holdings, enum hold_up_kind kind, uid_t uid,
			     uint64_t since, struct waiter *waiter);

/*
 * The same for a wait without which a request can be answered almost as well: it ends after a
 * hundredth of a second, also of root.
 */
struct waiter *holding_begin_short(struct holdings *holdings, enum hold_up_kind kind, uid_t uid,
				   struct waiter *waiter);

/* The other module need not be waited for. `begun` is what holding_begin has returned. */
void holding_cancel(struct waiter *begun, struct waiter *waiter);

/* Ends waits. Returns when the next one is to end, UINT64_MAX for never. */
uint64_t holdings_expire(struct holdings *holdings, uint64_t now);

#endif
