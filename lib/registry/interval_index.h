/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * interval_index.h - the mapped intervals of all mappings of this process, ordered by address
 *
 * Intervals of different mappings do not overlap. Every function is called with the library's lock
 * held.
 */
#ifndef PMEM2FS_LIB_REGISTRY_INTERVAL_INDEX_H
#define PMEM2FS_LIB_REGISTRY_INTERVAL_INDEX_H

#include <stdbool.h>
#include <stdint.h>

/* The addresses from `begin` up to, not including, `end`. */
struct interval {
	uintptr_t begin, end;
};

struct handle;

struct indexed_interval {
	struct interval range;
	struct handle *owner;
	struct indexed_interval *previous, *next; /* of the same mapping, ascending */
	struct indexed_interval *left, *right;    /* in the tree of all mappings */
	uint64_t priority;
};

/* The mapped intervals of one mapping. All zero: nothing is mapped. */
struct interval_set {
	struct indexed_interval *list; /* ascending: `first`, and others from malloc */
	struct indexed_interval first;
};

/*
 * Adds a mapping that consists of one interval. Errors: -EEXIST: an interval of another mapping
 * overlaps the range.
 */
int interval_index_insert(struct interval_set *set, struct handle *owner,
			  const struct interval *range);

/* Removes all intervals of a mapping. */
void interval_index_clear(struct interval_set *set);

/*
 * split divides the interval that contains `at`, if there is one, so that one begins there
 * (-ENOMEM). remove takes a range out, at both ends of which the mapping has been split.
 */
int interval_index_split(struct interval_set *set, uintptr_t at);
void interval_index_remove(struct interval_set *set, const struct interval *range);

/* Finds the lowest contiguous piece that is mapped in [from, end). False: there is none. */
bool interval_index_next_piece(const struct interval_set *set, uintptr_t from, uintptr_t end,
			       struct interval *piece);

/*
 * Any interval, the lowest one and the highest one, of any mapping, that overlaps [from, end).
 * NULL: there is none.
 */
const struct indexed_interval *interval_index_any(uintptr_t from, uintptr_t end);
const struct indexed_interval *interval_index_lowest(uintptr_t from, uintptr_t end);
const struct indexed_interval *interval_index_highest(uintptr_t from, uintptr_t end);

#endif
