/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * extents.h - which parts of a mapping are still mapped
 *
 * Lists that never change once made. Everywhere NULL in place of a list is the whole mapping, which
 * nearly all are; a list without extents is a mapping of which nothing is left.
 */
#ifndef PMEM2FS_EXTENTS_H
#define PMEM2FS_EXTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one mapping. */
#define EXTENTS_MAX 400u

/* In bytes from the start of the mapping. */
struct extent {
	uint64_t offset, length;
};

/* In order, none empty, no two that touch. To be released with free(). */
struct extents {
	size_t count;
	struct extent list[];
};

/* The bytes of the pages that a mapping of that many bytes takes. */
uint64_t extents_whole(uint64_t length);

/* For who makes a list: begins with no extent, and adds one at or behind the end. */
struct extents *extents_new(void);
/* -ENOMEM, then nothing changed. */
int extents_append(struct extents **extents, uint64_t begin, uint64_t end);

/* What is in both. `result` may be NULL in the end: the whole. -ENOMEM. */
int extents_intersect(const struct extents *a, const struct extents *b, struct extents **result);

/* What is left without [begin, end) of a mapping whose pages are `whole` bytes. -ENOMEM. */
int extents_remove(const struct extents *extents, uint64_t whole, uint64_t begin, uint64_t end,
		   struct extents **result);

/* Whether that makes two of one of them. */
bool extents_split(const struct extents *extents, uint64_t whole, uint64_t begin, uint64_t end);

bool extents_equal(const struct extents *a, const struct extents *b);

/* How many of the first `length` bytes are in them. */
uint64_t extents_bytes(const struct extents *extents, uint64_t length);

#endif
