/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * looks.h - scans of all processes that users ask for, however recently there was one
 *
 * Looks that wait at the same time share a scan, which is charged to the user of one of them. A
 * user other than root gets a tenth of the time for that: beyond it, a look waits until the user
 * has some again, or until the look of another user has a scan made. Used by the request loop
 * alone.
 */
#ifndef PMEM2FS_SCAN_LOOKS_H
#define PMEM2FS_SCAN_LOOKS_H

#include "base/time_quota.h"
#include "base/waiter.h"
#include "scan/scan_queue.h"
#include <stdint.h>
#include <sys/types.h>

/* Part of its owner's struct until it is done. */
struct look {
	/* Set by the owner. */
	uid_t uid; /* who asks */
	/*
	 * A scan that began after the look was added has ended, or takes too long; `error` is 0 or
	 * -ENOMEM. May free the look.
	 */
	void (*done)(struct look *look, int error);

	/* Of looks.c. */
	struct look *next;
};

struct looks {
	struct scan_queue *scan_queue;
	enum scan_kind kind; /* of the scans: SCAN_KNOWN where nothing is observed */
	struct quota quota;
	struct waiter scan;   /* for the end of the requested scan */
	uint64_t requested;   /* clock_now() of that; 0: none is */
	uid_t payer;          /* whom it is charged to */
	struct look *looking; /* those that wait for it */
	struct look *waiting; /* those that wait for the next one */
};

/* `scan_queue` is borrowed. */
void looks_begin(struct looks *looks, struct scan_queue *scan_queue, enum scan_kind kind);
void looks_end(struct looks *looks);

void looks_add(struct looks *looks, struct look *look, uint64_t now);

/* To be called in each round of the loop: has a scan made for looks that need not wait longer. */
void looks_expire(struct looks *looks, uint64_t now);

/* When looks_expire is to be called next, UINT64_MAX for never. */
uint64_t looks_due(struct looks *looks);

#endif
