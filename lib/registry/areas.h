/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * areas.h - what is mapped of the mappings of this process, in the order of addresses
 *
 * Areas of different mappings do not overlap. None of the functions takes a lock: the
 * registry calls them with the library's held.
 */
#ifndef PMEM2FS_AREAS_H
#define PMEM2FS_AREAS_H

#include <stdbool.h>
#include <stdint.h>

/* A range of addresses that is mapped: the whole of a mapping, or a part that is left of it. */
struct area {
	uintptr_t begin, end;
};

struct slot;

struct indexed_area {
	struct area is;
	struct slot *owner;
	struct indexed_area *previous, *next; /* of the same mapping, ascending */
};

/* What is mapped of one mapping. All zero: nothing. */
struct areas {
	struct indexed_area *list; /* ascending: `first`, and others from malloc */
	struct indexed_area first;
};

/*
 * Enters a mapping that is in one piece. Errors: -ENOMEM; -EEXIST, and *other has a part of the
 * range.
 */
int areas_enter(struct areas *areas, struct slot *owner, const struct area *range,
		struct slot **other);

/* Forgets all of it. */
void areas_clear(struct areas *areas);

/*
 * cut makes two areas of the one that has `at` inside, if there is one (-ENOMEM); drop forgets a
 * range at whose ends was cut.
 */
int areas_cut(struct areas *areas, uintptr_t at);
void areas_drop(struct areas *areas, const struct area *range);

/* The lowest contiguous piece of what is mapped in [from, end). False: there is none. */
bool areas_next_piece(const struct areas *areas, uintptr_t from, uintptr_t end, struct area *piece);

/* Some area, the lowest, and the highest of any mapping with a byte of [from, end); NULL: none. */
const struct indexed_area *areas_any(uintptr_t from, uintptr_t end);
const struct indexed_area *areas_lowest(uintptr_t from, uintptr_t end);
const struct indexed_area *areas_highest(uintptr_t from, uintptr_t end);

#endif
