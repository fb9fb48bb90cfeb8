/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * share.c - see share.h
 */
#include "base/share.h"
#include <stdio.h>
#include <unistd.h>

bool share_is_limited(uid_t uid)
{
	return uid && uid != geteuid();
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t difference(size_t a, size_t b)
{
	return a > b ? a - b : 0;
}

static size_t users_places(const struct share *share)
{
	return difference(share->total, share->root);
}

size_t share_room(const struct share *share, const struct share_use *use)
{
	size_t places = users_places(share), free, open;

	if (!use->uid)
		return difference(share->total, use->users + use->root);
	/* Root may have taken some of the users' places. */
	free = difference(places, use->users + difference(use->root, share->root));
	open = least(difference(free, places / 2), difference(share->user, use->own));
	if (use->own + open >= share->sure)
		return open;
	return least(free, difference(least(share->sure, share->user), use->own));
}

size_t share_users(const struct share *share)
{
	return users_places(share) / 2 / share->sure;
}

void share_refusal(const struct share *share, const struct share_use *use, char *why, size_t size)
{
	if (!use->uid)
		snprintf(why, size, "all %zu %s are in use", share->total, share->what);
	else if (use->own >= share->user)
		snprintf(why, size, "user %u has %zu %s, which is the limit", (unsigned)use->uid,
			 use->own, share->what);
	else
		snprintf(why, size,
			 "user %u has %zu %s, and most of the %zu that all users share are in use",
			 (unsigned)use->uid, use->own, share->what, users_places(share));
}
