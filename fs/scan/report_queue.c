/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report_queue.c - see report_queue.h
 *
 * Users take turns: the first report of each user is in a list, which is passed through in a
 * circle, and the others follow it (`next`).
 */
#include "scan/report_queue.h"
#include "base/clock.h"
#include <errno.h>

#define ROUND   (CLOCK_SECOND / 1000) /* of the loop, in which others wait */
#define PORTION 32                    /* events, between two looks at the clock */

static void append_user(struct report_queue *queue, struct scan_report *first)
{
	first->next_user = NULL;
	if (queue->last)
		queue->last->next_user = first;
	else
		queue->first = first;
	queue->last = first;
}

static void prepend_user(struct report_queue *queue, struct scan_report *first)
{
	first->next_user = queue->first;
	queue->first = first;
	if (!queue->last)
		queue->last = first;
}

static void add_report(struct report_queue *queue, struct scan_report *report)
{
	struct scan_report *first = queue->first;

	while (first && first->uid != report->uid)
		first = first->next_user;
	report->next = NULL;
	report->last = report;
	if (!first) {
		append_user(queue, report);
		return;
	}
	first->last->next = report;
	first->last = report;
}

void report_queue_add(struct report_queue *queue, struct scan_report *reports)
{
	while (reports) {
		struct scan_report *report = reports;

		reports = report->next;
		add_report(queue, report);
	}
}

/* Takes the first user who has time out of the circle. NULL: none has. */
static struct scan_report *remove_ready(struct report_queue *queue, uint64_t now)
{
	struct scan_report **at = &queue->first, *before = NULL, *first;

	for (; (first = *at); at = &first->next_user, before = first) {
		struct user_quota *user = quota_of(queue->loop_time, first->uid);

		if (user && !quota_has_credit(queue->loop_time, user, now))
			continue;
		*at = first->next_user;
		if (queue->last == first)
			queue->last = before;
		return first;
	}
	return NULL;
}

/* The report that is first once this one, which has been taken in, is freed. */
static struct scan_report *drop_first(struct scan_report *first)
{
	struct scan_report *second = first->next;

	if (second)
		second->last = first->last;
	scan_report_free(first);
	return second;
}

static uint64_t take_portion(struct report_queue *queue, struct scan_report *first, uint64_t begun)
{
	struct user_quota *user = quota_of(queue->loop_time, first->uid);
	size_t room = PORTION;
	uint64_t now;

	if (queue->take(queue->arg, first, &room))
		first = drop_first(first);
	if (first)
		append_user(queue, first);
	now = clock_now();
	if (user)
		quota_charge(queue->loop_time, user, now, now - begun);
	return now;
}

bool report_queue_work(struct report_queue *queue)
{
	uint64_t begun = clock_now(), now = begun;
	struct scan_report *first;

	while ((first = remove_ready(queue, now))) {
		if (now - begun >= ROUND) {
			prepend_user(queue, first); /* it is the next one's turn */
			return true;
		}
		now = take_portion(queue, first, now);
	}
	return false;
}

uint64_t report_queue_due(const struct report_queue *queue)
{
	uint64_t due = UINT64_MAX;

	for (const struct scan_report *first = queue->first; first; first = first->next_user) {
		const struct user_quota *user = quota_of(queue->loop_time, first->uid);
		uint64_t at = user ? quota_due(queue->loop_time, user) : 0;

		if (at < due)
			due = at;
	}
	return due;
}

bool report_queue_has(const struct report_queue *queue, uint64_t process)
{
	for (const struct scan_report *first = queue->first; first; first = first->next_user)
		for (const struct scan_report *report = first; report; report = report->next)
			if (report->process == process)
				return true;
	return false;
}

int report_queue_users(const struct report_queue *queue, struct user_set *users)
{
	*users = (struct user_set){0};
	for (const struct scan_report *first = queue->first; first; first = first->next_user) {
		if (user_set_add(users, first->uid)) {
			user_set_clear(users);
			return -ENOMEM;
		}
	}
	user_set_sort(users);
	return 0;
}

void report_queue_clear(struct report_queue *queue)
{
	while (queue->first) {
		struct scan_report *first = queue->first;

		queue->first = first->next_user;
		while (first)
			first = drop_first(first);
	}
	queue->last = NULL;
}
