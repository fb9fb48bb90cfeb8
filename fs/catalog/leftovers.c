/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * leftovers.c - see leftovers.h
 *
 * One list: first the cached leftovers, then all others, each part sorted by `left_at`.
 */
#include "catalog/leftovers.h"

/* Inserts behind `before`; NULL: at the front. */
static void insert_after(struct leftovers *leftovers, struct version *before,
			 struct version *version)
{
	version->left_before = before;
	version->left_after = before ? before->left_after : leftovers->first;
	if (before)
		before->left_after = version;
	else
		leftovers->first = version;
	if (version->left_after)
		version->left_after->left_before = version;
	else
		leftovers->last = version;
}

void leftovers_add(struct leftovers *leftovers, struct version *version, uint64_t now)
{
	version->left_at = now;
	if (version->cached) {
		insert_after(leftovers, leftovers->last_cached, version);
		leftovers->last_cached = version;
	} else {
		insert_after(leftovers, leftovers->last, version);
	}
}

void leftovers_remove(struct leftovers *leftovers, struct version *version)
{
	if (!version->left_at)
		return;
	version->left_at = 0;
	if (leftovers->last_cached == version)
		leftovers->last_cached = version->left_before;
	if (version->left_before)
		version->left_before->left_after = version->left_after;
	else
		leftovers->first = version->left_after;
	if (version->left_after)
		version->left_after->left_before = version->left_before;
	else
		leftovers->last = version->left_before;
}

uint64_t leftover_due(const struct version *version)
{
	return version->cached ? version->left_at : version->left_at + LEFTOVERS_AGE;
}

uint64_t leftovers_due(const struct leftovers *leftovers)
{
	return leftovers->first ? leftover_due(leftovers->first) : UINT64_MAX;
}

uint64_t leftovers_cached(const struct leftovers *leftovers)
{
	return leftovers->last_cached ? leftovers->first->left_at : UINT64_MAX;
}
