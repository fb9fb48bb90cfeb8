/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * user_scans.h - scans of all processes that users ask for, however recently there was one
 *
 * Users who wait at the same time share a scan, which is charged to one of them. A user other than
 * root gets a tenth of the time for that: beyond it, a scan waits until the user has some again, or
 * until another user has one made. Used by the request loop alone.
 */
#ifndef PMEM2FS_SCAN_USER_SCANS_H
#define PMEM2FS_SCAN_USER_SCANS_H

#include "base/time_quota.h"
#include "base/waiter.h"
#include "scan/scan_queue.h"
#include <stdint.h>
#include <sys/types.h>

/* Part of its owner's struct until it is done. */
struct user_scan {
	/* Set by the owner. */
	uid_t uid; /* who asks */
	/*
	 * A scan that began after this was added has ended, or takes too long; `error` is 0 or
	 * -ENOMEM. May free this.
	 */
	void (*done)(struct user_scan *user_scan, int error);

	/* Of user_scans.c. */
	struct user_scan *next;
};

struct user_scans {
	struct scan_queue *scan_queue;
	enum scan_kind kind; /* of the scans: SCAN_KNOWN where nothing is observed */
	struct quota quota;
	struct waiter scan;        /* for the end of the requested scan */
	uint64_t requested;        /* clock_now() of that; 0: none is */
	uid_t payer;               /* whom it is charged to */
	struct user_scan *served;  /* wait for it */
	struct user_scan *waiting; /* wait for the next one */
};

/* `scan_queue` is borrowed. */
void user_scans_begin(struct user_scans *user_scans, struct scan_queue *scan_queue,
		      enum scan_kind kind);
void user_scans_end(struct user_scans *user_scans);

void user_scans_add(struct user_scans *user_scans, struct user_scan *user_scan, uint64_t now);

/* To be called in each round of the loop: begins the scan of a user who need not wait longer. */
void user_scans_expire(struct user_scans *user_scans, uint64_t now);

/* When user_scans_expire is to be called next, UINT64_MAX for never. */
uint64_t user_scans_due(struct user_scans *user_scans);

#endif
