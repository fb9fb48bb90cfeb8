/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drafts.c - see drafts.h
 *
 * Open drafts are in one list, ordered by the time of the last write, so that the first one is the
 * next to expire. How many a user has is counted: it is asked for each file that is created.
 */
#include "fuse/drafts.h"
#include "base/array.h"
#include "base/clock.h"
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Is there as long as the user has an open draft. */
struct draft_user {
	uid_t uid;
	size_t open;
};

struct drafts {
	struct draft *open, **end;
	void *tree;         /* of struct draft_user, by uid */
	size_t users, root; /* open drafts, of others than root and of root */
};

const struct share drafts_share = {
	.what = "unfinished requests", .total = 4096, .root = 256, .user = 256, .sure = 4};

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

static int by_uid(const void *a, const void *b)
{
	const struct draft_user *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

static struct draft_user *find_user(const struct drafts *drafts, uid_t uid)
{
	const struct draft_user wanted = {.uid = uid};
	struct draft_user **found = tfind(&wanted, &drafts->tree, by_uid);

	return found ? *found : NULL;
}

static size_t *open_like(struct drafts *drafts, uid_t uid)
{
	return uid ? &drafts->users : &drafts->root;
}

static int count_open(struct drafts *drafts, uid_t uid)
{
	struct draft_user *user = find_user(drafts, uid);

	if (!user) {
		user = calloc(1, sizeof(*user));
		if (!user)
			return -ENOMEM;
		user->uid = uid;
		if (!tsearch(user, &drafts->tree, by_uid)) {
			free(user);
			return -ENOMEM;
		}
	}
	user->open++;
	++*open_like(drafts, uid);
	return 0;
}

static void count_closed(struct drafts *drafts, uid_t uid)
{
	struct draft_user *user = find_user(drafts, uid);

	--*open_like(drafts, uid);
	if (--user->open)
		return;
	tdelete(user, &drafts->tree, by_uid);
	free(user);
}

static void note_write(struct draft *draft)
{
	draft->touched = clock_now();
	draft->written = clock_time_of_day();
}

static void list_add(struct drafts *drafts, struct draft *draft)
{
	draft->next = NULL;
	draft->link = drafts->end;
	*drafts->end = draft;
	drafts->end = &draft->next;
}

static void list_remove(struct drafts *drafts, struct draft *draft)
{
	*draft->link = draft->next;
	if (draft->next)
		draft->next->link = draft->link;
	else
		drafts->end = draft->link;
	draft->link = NULL;
}

/* From now on it is no open one, if it was. */
static void close_draft(struct drafts *drafts, struct draft *draft)
{
	if (!draft->link)
		return;
	list_remove(drafts, draft);
	count_closed(drafts, draft->uid);
}

int drafts_add(struct drafts *drafts, const char *name, uid_t uid, gid_t gid,
	       struct identity *identity, struct draft **draft_ptr, char *why)
{
	size_t size = strlen(name) + 1;
	const struct draft_user *user = find_user(drafts, uid);
	const struct share_use use = {.uid = uid,
				      .users = drafts->users,
				      .root = drafts->root,
				      .own = user ? user->open : 0};
	struct draft *draft;

	if (!share_room(&drafts_share, &use)) {
		share_refusal(&drafts_share, &use, why, REQUEST_WHY_LENGTH);
		return -ENFILE;
	}
	draft = calloc(1, sizeof(*draft) + size);
	if (!draft || count_open(drafts, uid)) {
		free(draft);
		snprintf(why, REQUEST_WHY_LENGTH, "out of memory");
		return -ENOMEM;
	}
	draft->node.kind = NODE_DRAFT;
	draft->uid = uid;
	draft->gid = gid;
	draft->identity = identity;
	memcpy(draft->name, name, size);
	note_write(draft);
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
	note_write(draft);
	if (result < 0) {
		draft_end(drafts, draft, -result);
	} else if (result > 0) {
		close_draft(drafts, draft);
		draft->state = DRAFT_RUNNING;
		draft->node.held = 1;
	} else {
		list_remove(drafts, draft);
		list_add(drafts, draft);
	}
	return result;
}

void draft_end(struct drafts *drafts, struct draft *draft, int error)
{
	close_draft(drafts, draft);
	draft->state = error ? DRAFT_DEAD : DRAFT_DONE;
	draft->error = error;
	draft->node.held = 0;
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
	close_draft(drafts, draft);
	free(draft->text);
	free(draft->identity);
	free(draft);
}
