/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * invalidate.c - see invalidate.h
 */
#define FUSE_USE_VERSION 314
#include "fuse/invalidate.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "catalog/catalog.h"
#include "catalog/leftovers.h"
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX (16 * 1024) /* bytes of names in one task */

struct notice {
	struct task task;
	struct fuse_session *session;
	struct invalidate *leftovers; /* NULL: the name is not of a leftover */
	size_t used;
	char names[]; /* each terminated */
};

static void send_notice(struct task *task)
{
	struct notice *notice = container_of(task, struct notice, task);

	/* A name that the kernel does not know gives an error, which does no harm. */
	for (size_t at = 0; at < notice->used; at += strlen(notice->names + at) + 1)
		fuse_lowlevel_notify_inval_entry(notice->session, CATALOG_ROOT, notice->names + at,
						 strlen(notice->names + at));
}

static void notice_sent(struct task *task)
{
	struct notice *notice = container_of(task, struct notice, task);

	if (notice->leftovers)
		notice->leftovers->busy = false;
	free(notice);
}

static struct notice *notice_new(const struct invalidate *invalidate, size_t room)
{
	struct notice *notice = malloc(sizeof(*notice) + room);

	if (notice)
		*notice = (struct notice){
			.task = {.lane = invalidate->lane, .run = send_notice, .done = notice_sent},
			.session = invalidate->session,
		};
	return notice;
}

/* Whether one of NAMES_MAX bytes has room for another name. */
static bool has_room(const struct notice *notice)
{
	return notice->used + NAME_LENGTH_MAX + 1 <= NAMES_MAX;
}

static void add_name(struct notice *notice, const char *name)
{
	size_t size = strlen(name) + 1;

	memcpy(notice->names + notice->used, name, size);
	notice->used += size;
}

void invalidate_name(const struct invalidate *invalidate, const char *name)
{
	struct notice *notice = notice_new(invalidate, strlen(name) + 1);

	if (notice) {
		add_name(notice, name);
		if (!pool_submit(invalidate->helpers, &notice->task))
			return;
		free(notice);
	}
	log_debug("%s: cannot tell the kernel; it will see within a second", name);
}

static void send_soon(struct invalidate *invalidate)
{
	if (pool_submit(invalidate->helpers, &invalidate->soon->task)) {
		log_debug("cannot tell the kernel of names that it need not know");
		free(invalidate->soon);
	}
	invalidate->soon = NULL;
}

void invalidate_soon(struct invalidate *invalidate, const char *name)
{
	if (!invalidate->soon) {
		invalidate->soon = notice_new(invalidate, NAMES_MAX);
		invalidate->soon_due = clock_now() + INVALIDATE_SOON;
	}
	if (!invalidate->soon)
		return;
	add_name(invalidate->soon, name);
	if (!has_room(invalidate->soon))
		send_soon(invalidate);
}

int invalidate_wait(struct invalidate *invalidate, const struct leftovers *leftovers,
		    struct waiter *waiter)
{
	struct waiter **end = &invalidate->waiting;

	if (!invalidate->busy && leftovers_cached(leftovers) == UINT64_MAX)
		return 1;
	while (*end)
		end = &(*end)->next;
	waiter->next = NULL;
	waiter->since = clock_now();
	*end = waiter;
	return 0;
}

/*
 * Wakes the waiters that are older than all cached leftovers, and the waiters that have
 * waited for LEFTOVERS_CACHED. Returns when the next waiter is to be woken at the latest.
 */
static uint64_t wake_waiters(struct invalidate *invalidate, const struct leftovers *leftovers,
			     uint64_t now)
{
	uint64_t oldest = invalidate->busy ? 0 : leftovers_cached(leftovers);
	struct waiter *waiter;

	while ((waiter = invalidate->waiting)) {
		if (waiter->since >= oldest && waiter->since + LEFTOVERS_CACHED > now)
			return waiter->since + LEFTOVERS_CACHED;
		invalidate->waiting = waiter->next;
		waiter->wake(waiter);
	}
	return UINT64_MAX;
}

/* Returns when it is due next, as far as it does not depend on the end of a task. */
static uint64_t send_due(struct invalidate *invalidate, struct leftovers *leftovers, uint64_t now)
{
	const struct version *version = leftovers->first;
	struct notice *notice;
	size_t count = 0;

	if (invalidate->busy)
		return UINT64_MAX; /* the end of the task comes back here */
	if (leftovers_due(leftovers) > now)
		return leftovers_due(leftovers);
	notice = notice_new(invalidate, NAMES_MAX);
	if (!notice)
		return now + CLOCK_SECOND;
	notice->leftovers = invalidate;
	for (; version && leftover_due(version) <= now; version = version->left_after) {
		if (!has_room(notice))
			break;
		add_name(notice, version->text);
		count++;
	}
	if (pool_submit(invalidate->helpers, &notice->task)) {
		free(notice);
		return now + CLOCK_SECOND;
	}
	invalidate->busy = true;
	/* A version that is open stays until it is closed. */
	while (count--)
		leftovers_remove(leftovers, leftovers->first);
	return UINT64_MAX;
}

uint64_t invalidate_leftovers(struct invalidate *invalidate, struct leftovers *leftovers,
			      uint64_t now)
{
	uint64_t woken = wake_waiters(invalidate, leftovers, now);
	uint64_t sent = send_due(invalidate, leftovers, now);
	uint64_t next = woken < sent ? woken : sent;

	if (invalidate->soon && invalidate->soon_due <= now)
		send_soon(invalidate);
	return invalidate->soon && invalidate->soon_due < next ? invalidate->soon_due : next;
}
