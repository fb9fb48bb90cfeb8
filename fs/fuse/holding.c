/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * holding.c - see holding.h
 */
#include "fuse/holding.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/share.h"
#include <stdlib.h>

#define PATIENCE (CLOCK_SECOND / 10)
#define SHORT    (CLOCK_SECOND / 100) /* waits that end so soon are not counted */

struct holding {
	struct waiter waiter; /* at the other module, which wakes it once */
	TAILQ_ENTRY(holding) others;
	struct holdings *holdings;
	struct waiter *inner; /* NULL: it has been woken before its time */
	enum hold_up_kind kind;
	uint64_t since, until;
	uid_t uid;
};

void holdings_begin(struct holdings *holdings, struct hold_up *hold_up)
{
	holdings->hold_up = hold_up;
	TAILQ_INIT(&holdings->waiting);
	TAILQ_INIT(&holdings->overdue);
}

static void charge(const struct holding *holding, uint64_t now)
{
	if (share_is_limited(holding->uid) && now - holding->since > SHORT)
		hold_up_charge(holding->holdings->hold_up, holding->kind, holding->uid,
			       holding->since, now);
}

/* The second wait of a request may end before waits of requests that came later. */
static void wait_in_order(struct holding *holding)
{
	struct holding_list *waiting = &holding->holdings->waiting;
	struct holding *before = TAILQ_LAST(waiting, holding_list);

	while (before && before->until > holding->until)
		before = TAILQ_PREV(before, holding_list, others);
	if (before)
		TAILQ_INSERT_AFTER(waiting, before, holding, others);
	else
		TAILQ_INSERT_HEAD(waiting, holding, others);
}

static void holding_free(struct holding *holding)
{
	struct holdings *holdings = holding->holdings;

	TAILQ_REMOVE(holding->inner ? &holdings->waiting : &holdings->overdue, holding, others);
	free(holding);
}

static void holding_wake(struct waiter *waiter)
{
	struct holding *holding = container_of(waiter, struct holding, waiter);
	struct waiter *inner = holding->inner;

	if (inner)
		charge(holding, clock_now());
	holding_free(holding);
	if (inner)
		inner->wake(inner);
}

static struct waiter *begin_until(struct holdings *holdings, enum hold_up_kind kind, uid_t uid,
				  uint64_t until, struct waiter *waiter)
{
	uint64_t now = clock_now();
	struct holding *holding;

	if (until <= now ||
	    (share_is_limited(uid) && !hold_up_may(holdings->hold_up, kind, uid, now)))
		return NULL;
	holding = calloc(1, sizeof(*holding));
	if (!holding)
		return NULL;
	holding->waiter.wake = holding_wake;
	holding->holdings = holdings;
	holding->inner = waiter;
	holding->kind = kind;
	holding->since = now;
	holding->until = until;
	holding->uid = uid;
	wait_in_order(holding);
	return &holding->waiter;
}

struct waiter *holding_begin(struct holdings *holdings, enum hold_up_kind kind, uid_t uid,
			     uint64_t since, struct waiter *waiter)
{
	if (!share_is_limited(uid))
		return waiter;
	return begin_until(holdings, kind, uid, since + PATIENCE, waiter);
}

struct waiter *holding_begin_short(struct holdings *holdings, enum hold_up_kind kind, uid_t uid,
				   struct waiter *waiter)
{
	return begin_until(holdings, kind, uid, clock_now() + SHORT, waiter);
}

void holding_cancel(struct waiter *begun, struct waiter *waiter)
{
	if (begun && begun != waiter)
		holding_free(container_of(begun, struct holding, waiter));
}

uint64_t holdings_expire(struct holdings *holdings, uint64_t now)
{
	struct holding *holding;

	while ((holding = TAILQ_FIRST(&holdings->waiting))) {
		struct waiter *inner = holding->inner;

		if (holding->until > now)
			return holding->until;
		TAILQ_REMOVE(&holdings->waiting, holding, others);
		TAILQ_INSERT_TAIL(&holdings->overdue, holding, others);
		holding->inner = NULL;
		charge(holding, now);
		inner->wake(inner);
	}
	return UINT64_MAX;
}
