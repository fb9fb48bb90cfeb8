/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * extents.h - which parts of a mapping are still mapped
 *
 * Lists that do not change once they are made, each owned by its maker. NULL in place of
 * a list is the whole mapping, which nearly all mappings are; a list without extents is a mapping
 * of which nothing is left. Calls libc only.
 */
#ifndef PMEM2FS_BASE_EXTENTS_H
#define PMEM2FS_BASE_EXTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many of one mapping at most. */
#define EXTENTS_MAX 400u

/* In bytes from the start of the mapping. */
struct extent {
	uint64_t offset, length;
};

/* In order of offsets; none is empty, and no two touch. To be freed with free(). */
struct extents {
	size_t count;
	struct extent list[];
};

/* The length in bytes, rounded up to whole pages. */
uint64_t extents_whole(uint64_t length);

/* A list without extents. NULL when memory runs out. */
struct extents *extents_new(void);
/*
 * While a list is being made: adds [begin, end), where `begin` is not before the last extent.
 * Returns 0 or -ENOMEM, then nothing has changed.
 */
int extents_append(struct extents **extents, uint64_t begin, uint64_t end);

/* What is in both; *result is NULL if that is the whole mapping. Returns 0 or -ENOMEM. */
int extents_intersect(const struct extents *a, const struct extents *b, struct extents **result);

/*
 * What is left without [begin, end) of a mapping whose pages have `whole` bytes. Returns 0 or
 * -ENOMEM.
 */
int extents_remove(const struct extents *extents, uint64_t whole, uint64_t begin, uint64_t end,
		   struct extents **result);

/* Whether to remove [begin, end) would make two extents of one. */
bool extents_split(const struct extents *extents, uint64_t whole, uint64_t begin, uint64_t end);

bool extents_equal(const struct extents *a, const struct extents *b);

/* How many of the first `length` bytes of the mapping are in them. */
uint64_t extents_bytes(const struct extents *extents, uint64_t length);

#endif
