/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drafts.c - see drafts.h
 *
 * Open drafts are in one list, ordered by the time of the last write, so that the first one is the
 * next to expire.
 */
#include "fuse/drafts.h"
#include "base/array.h"
#include "base/clock.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct drafts {
	struct draft *open, **end;
	unsigned count;
};

struct drafts *drafts_new(void)
{
	struct drafts *drafts = calloc(1, sizeof(*drafts));

	if (drafts)
		drafts->end = &drafts->open;
	return drafts;
}

void drafts_free(struct drafts *drafts)
{
	struct draft *draft, *next;

	if (!drafts)
		return;
	for (draft = drafts->open; draft; draft = next) {
		next = draft->next;
		draft_free(drafts, draft);
	}
	free(drafts);
}

static void list_add(struct drafts *drafts, struct draft *draft)
{
	draft->touched = clock_now();
	draft->next = NULL;
	draft->link = drafts->end;
	*drafts->end = draft;
	drafts->end = &draft->next;
	drafts->count++;
}

static void list_remove(struct drafts *drafts, struct draft *draft)
{
	if (!draft->link)
		return;
	*draft->link = draft->next;
	if (draft->next)
		draft->next->link = draft->link;
	else
		drafts->end = draft->link;
	draft->link = NULL;
	drafts->count--;
}

int drafts_add(struct drafts *drafts, const char *name, uid_t uid, gid_t gid,
	       struct identity *identity, struct draft **draft_ptr)
{
	size_t size = strlen(name) + 1;
	struct draft *draft;
	unsigned own = 0;

	for (draft = drafts->open; draft; draft = draft->next)
		own += draft->uid == uid;
	if (drafts->count >= DRAFTS_MAX || own >= DRAFTS_PER_USER)
		return -ENFILE;
	draft = calloc(1, sizeof(*draft) + size);
	if (!draft)
		return -ENOMEM;
	draft->node.kind = NODE_DRAFT;
	draft->uid = uid;
	draft->gid = gid;
	draft->identity = identity;
	memcpy(draft->name, name, size);
	list_add(drafts, draft);
	*draft_ptr = draft;
	return 0;
}

static int append_text(struct draft *draft, size_t at, const char *text, size_t length)
{
	if (length && array_reserve(draft->text, &draft->room, at + length, 1024))
		return -ENOMEM;
	memcpy(draft->text + at, text, length);
	return 0;
}

static int take_text(struct draft *draft, uint64_t offset, const char *text, size_t length,
		     char *why)
{
	size_t at = draft->scan.seen;
	int result;

	if (offset != at) {
		snprintf(why, REQUEST_WHY_LENGTH, "write at offset %llu, expected %zu",
			 (unsigned long long)offset, at);
		return -EINVAL;
	}
	result = request_scan(&draft->scan, text, length, why);
	if (result < 0 || draft->state != DRAFT_OPEN)
		return result < 0 ? result : 0;
	if (append_text(draft, at, text, length)) {
		snprintf(why, REQUEST_WHY_LENGTH, "out of memory");
		return -ENOMEM;
	}
	return result;
}

int draft_write(struct drafts *drafts, struct draft *draft, uid_t uid, gid_t gid, uint64_t offset,
		const char *text, size_t length, char *why)
{
	int result;

	if (draft->state == DRAFT_DEAD) {
		snprintf(why, REQUEST_WHY_LENGTH, "the request has failed already");
		return -draft->error;
	}
	if (draft->state == DRAFT_RUNNING) {
		snprintf(why, REQUEST_WHY_LENGTH, "the request is being carried out");
		return -EBUSY;
	}
	if (uid != draft->uid || gid != draft->gid) {
		snprintf(why, REQUEST_WHY_LENGTH,
			 "written by user %u group %u, begun by user %u group %u", uid, gid,
			 draft->uid, draft->gid);
		result = -EPERM;
	} else {
		result = take_text(draft, offset, text, length, why);
	}
	if (draft->state != DRAFT_OPEN)
		return result;
	list_remove(drafts, draft);
	if (result < 0) {
		draft_end(drafts, draft, -result);
	} else if (result > 0) {
		draft->state = DRAFT_RUNNING;
		draft->node.held = true;
	} else {
		list_add(drafts, draft);
	}
	return result;
}

void draft_end(struct drafts *drafts, struct draft *draft, int error)
{
	list_remove(drafts, draft);
	draft->state = error ? DRAFT_DEAD : DRAFT_DONE;
	draft->error = error;
	draft->node.held = false;
	free(draft->text);
	free(draft->identity);
	draft->text = NULL;
	draft->identity = NULL;
	draft->room = 0;
}

uint64_t drafts_expire(struct drafts *drafts, uint64_t now,
		       void (*expired)(void *arg, const struct draft *draft), void *arg)
{
	const uint64_t patience = DRAFT_SECONDS * CLOCK_SECOND;

	while (drafts->open && now >= drafts->open->touched + patience) {
		struct draft *draft = drafts->open;

		expired(arg, draft);
		draft_end(drafts, draft, ETIMEDOUT);
	}
	return drafts->open ? drafts->open->touched + patience : UINT64_MAX;
}

void draft_free(struct drafts *drafts, struct draft *draft)
{
	list_remove(drafts, draft);
	free(draft->text);
	free(draft->identity);
	free(draft);
}
