/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * user_scans.c - see user_scans.h
 *
 * One scan is requested at a time: those who ask meanwhile share the next one.
 */
#include "scan/user_scans.h"
#include "base/clock.h"
#include "base/container_of.h"

#define SHARE 10 /* of the time that passes, the scans for a user get one part in so many */

static void end_scan(struct user_scans *user_scans, int error)
{
	struct user_scan *user_scan = user_scans->served, *next;

	user_scans->requested = 0;
	user_scans->served = NULL;
	for (; user_scan; user_scan = next) {
		next = user_scan->next;
		user_scan->done(user_scan, error);
	}
}

/* How long the requested scan took, or has taken so far if nobody waits for its end. */
static uint64_t cost_of_scan(const struct user_scans *user_scans, uint64_t now)
{
	struct scan_times times = scan_queue_times(user_scans->scan_queue);
	bool all = user_scans->kind == SCAN_ALL;

	if ((all ? times.all : times.known) < user_scans->requested)
		return now - user_scans->requested;
	return all ? times.all_cost : times.known_cost;
}

/* The waiting scan whose user may have a scan made, or NULL. */
static const struct user_scan *find_payer(struct user_scans *user_scans, uint64_t now)
{
	for (const struct user_scan *user_scan = user_scans->waiting; user_scan;
	     user_scan = user_scan->next) {
		struct user_quota *user = quota_of(&user_scans->quota, user_scan->uid);

		if (!user || quota_has_credit(&user_scans->quota, user, now))
			return user_scan;
	}
	return NULL;
}

static void scan_if_due(struct user_scans *user_scans, uint64_t now)
{
	const struct user_scan *payer = user_scans->requested ? NULL : find_payer(user_scans, now);
	int error;

	if (!payer)
		return;
	user_scans->payer = payer->uid;
	user_scans->requested = now;
	user_scans->served = user_scans->waiting;
	user_scans->waiting = NULL;
	error = scan_queue_request(user_scans->scan_queue, user_scans->kind, 0, &user_scans->scan);
	if (error)
		end_scan(user_scans, error);
}

static void scan_ended(struct waiter *waiter)
{
	struct user_scans *user_scans = container_of(waiter, struct user_scans, scan);
	struct user_quota *user = quota_of(&user_scans->quota, user_scans->payer);
	uint64_t now = clock_now();

	if (user)
		quota_charge(&user_scans->quota, user, now, cost_of_scan(user_scans, now));
	end_scan(user_scans, 0);
	scan_if_due(user_scans, now);
}

void user_scans_begin(struct user_scans *user_scans, struct scan_queue *scan_queue,
		      enum scan_kind kind)
{
	*user_scans = (struct user_scans){
		.scan_queue = scan_queue,
		.kind = kind,
		.quota.share = SHARE,
		.scan.wake = scan_ended,
	};
}

void user_scans_end(struct user_scans *user_scans)
{
	quota_clear(&user_scans->quota);
}

void user_scans_add(struct user_scans *user_scans, struct user_scan *user_scan, uint64_t now)
{
	user_scan->next = user_scans->waiting;
	user_scans->waiting = user_scan;
	scan_if_due(user_scans, now);
}

void user_scans_expire(struct user_scans *user_scans, uint64_t now)
{
	quota_tidy(&user_scans->quota, now);
	scan_if_due(user_scans, now);
}

uint64_t user_scans_due(struct user_scans *user_scans)
{
	uint64_t due = UINT64_MAX;

	if (user_scans->requested)
		return due; /* its end comes back here */
	for (const struct user_scan *user_scan = user_scans->waiting; user_scan;
	     user_scan = user_scan->next) {
		const struct user_quota *user = quota_of(&user_scans->quota, user_scan->uid);
		uint64_t at = user ? quota_due(&user_scans->quota, user) : 0;

		if (at < due)
			due = at;
	}
	return due;
}
