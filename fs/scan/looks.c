/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * looks.c - see looks.h
 *
 * One scan is requested at a time: those who ask meanwhile share the next one.
 */
#include "scan/looks.h"
#include "base/clock.h"
#include "base/container_of.h"

#define SHARE 10 /* of the time that passes, the looks of a user get one part in so many */

static void end_scan(struct looks *looks, int error)
{
	struct look *look = looks->looking, *next;

	looks->requested = 0;
	looks->looking = NULL;
	for (; look; look = next) {
		next = look->next;
		look->done(look, error);
	}
}

/* How long the requested scan took, or has taken so far if nobody waits for its end. */
static uint64_t cost_of_scan(const struct looks *looks, uint64_t now)
{
	struct scan_times times = scan_queue_times(looks->scan_queue);
	bool all = looks->kind == SCAN_ALL;

	if ((all ? times.all : times.known) < looks->requested)
		return now - looks->requested;
	return all ? times.all_cost : times.known_cost;
}

/* The waiting look whose user may have a scan made, or NULL. */
static const struct look *find_payer(struct looks *looks, uint64_t now)
{
	for (const struct look *look = looks->waiting; look; look = look->next) {
		struct user_quota *user = quota_of(&looks->quota, look->uid);

		if (!user || quota_has_credit(&looks->quota, user, now))
			return look;
	}
	return NULL;
}

static void scan_if_due(struct looks *looks, uint64_t now)
{
	const struct look *payer = looks->requested ? NULL : find_payer(looks, now);
	int error;

	if (!payer)
		return;
	looks->payer = payer->uid;
	looks->requested = now;
	looks->looking = looks->waiting;
	looks->waiting = NULL;
	error = scan_queue_request(looks->scan_queue, looks->kind, 0, &looks->scan);
	if (error)
		end_scan(looks, error);
}

static void scan_ended(struct waiter *waiter)
{
	struct looks *looks = container_of(waiter, struct looks, scan);
	struct user_quota *user = quota_of(&looks->quota, looks->payer);
	uint64_t now = clock_now();

	if (user)
		quota_charge(&looks->quota, user, now, cost_of_scan(looks, now));
	end_scan(looks, 0);
	scan_if_due(looks, now);
}

void looks_begin(struct looks *looks, struct scan_queue *scan_queue, enum scan_kind kind)
{
	*looks = (struct looks){
		.scan_queue = scan_queue,
		.kind = kind,
		.quota.share = SHARE,
		.scan.wake = scan_ended,
	};
}

void looks_end(struct looks *looks)
{
	quota_clear(&looks->quota);
}

void looks_add(struct looks *looks, struct look *look, uint64_t now)
{
	look->next = looks->waiting;
	looks->waiting = look;
	scan_if_due(looks, now);
}

void looks_expire(struct looks *looks, uint64_t now)
{
	quota_tidy(&looks->quota, now);
	scan_if_due(looks, now);
}

uint64_t looks_due(struct looks *looks)
{
	uint64_t due = UINT64_MAX;

	if (looks->requested)
		return due; /* its end comes back here */
	for (const struct look *look = looks->waiting; look; look = look->next) {
		const struct user_quota *user = quota_of(&looks->quota, look->uid);
		uint64_t at = user ? quota_due(&looks->quota, user) : 0;

		if (at < due)
			due = at;
	}
	return due;
}
