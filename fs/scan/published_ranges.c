/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * published_ranges.c - see published_ranges.h
 *
 * Whoever publishes may claim anything: all work here is bounded by the number of claims and areas,
 * whatever they are, but for a logarithm.
 */
#include "scan/published_ranges.h"
#include "base/array.h"
#include "base/hash.h"
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* Areas that are compared for each claim and each area, on average. True claims need one or two. */
#define STEPS 8

uint64_t published_ranges_digest(uint64_t seed, const struct pmem2fs_record *record)
{
	uint64_t words[sizeof(*record) / sizeof(uint64_t)];

	_Static_assert(sizeof(words) == sizeof(*record), "all of the record");
	memcpy(words, record, sizeof(words));
	return hash_words(words, sizeof(words) / sizeof(*words), seed);
}

void published_ranges_clear(struct published_ranges *claims)
{
	for (size_t i = 0; i < claims->count; i++)
		free(claims->list[i].extents);
	free(claims->list);
	free(claims->records);
	free(claims->parts);
	claims->count = claims->room = 0;
	claims->record_count = claims->record_room = 0;
	claims->part_count = 0;
	claims->list = NULL;
	claims->records = NULL;
	claims->parts = NULL;
	claims->steps = 0;
}

static int is_of_source(void *arg, const struct maps_area *area, uint64_t start,
			const struct pmem2fs_record *record)
{
	struct published_ranges *claims = arg;

	if (claims->steps++ > STEPS * (claims->maps->count + claims->count + 1))
		return -E2BIG;
	if (record->source_type == PMEM2FS_SOURCE_ANONYMOUS) {
		if (record->sharing == PMEM2_PRIVATE)
			return !area->inode && !area->shared;
		return area->name == MAPS_ZERO && area->shared && !start &&
		       area->dev == dax_shmem(claims->dax);
	}
	if (!area->inode || start != record->offset)
		return 0;
	if (area->dev == record->source_dev)
		return area->inode == record->source_inode;
	return !major(record->source_dev) && dax_is_file(claims->dax, claims->maps, area,
							 record->source_dev, record->source_inode);
}

/* The kernel's word in place of the owner's. */
static void correct(const struct published_ranges *claims, struct pmem2fs_record *record,
		    const struct maps_area *area)
{
	const struct dax_file *file;

	record->uid = claims->uid;
	record->gid = claims->gid;
	record->protection = area->protection;
	record->sharing = area->shared ? PMEM2_SHARED : PMEM2_PRIVATE;
	if (record->source_type == PMEM2FS_SOURCE_ANONYMOUS)
		return;
	file = dax_find(claims->dax, claims->maps, area);
	record->source_type = file ? file->type : PMEM2FS_SOURCE_FILE;
	record->source_rdev = file ? file->rdev : 0;
}

static struct published_range *next_claim(struct published_ranges *claims)
{
	if (array_reserve(claims->list, &claims->room, claims->count + 1, 64))
		return NULL;
	return &claims->list[claims->count];
}

int published_ranges_add(struct published_ranges *claims, struct pmem2fs_record *record,
			 struct published_range **claim_ptr)
{
	uint64_t end = record->address + extents_whole(record->length);
	struct published_range *claim = next_claim(claims);
	const struct maps_area *first;
	struct extents *extents;
	int error;

	*claim_ptr = NULL;
	claims->asked++;
	if (!claim)
		return -ENOMEM;
	if (end < record->address)
		return 0;
	error = maps_find_if(claims->maps, record, is_of_source, claims, &extents, &first);
	if (error)
		return error == -E2BIG ? 0 : error;
	if (!first || (extents && extents->count > EXTENTS_MAX)) {
		free(extents);
		return 0;
	}
	correct(claims, record, first);
	*claim = (struct published_range){
		.begin = record->address,
		.end = end,
		.extents = extents,
		.digest = published_ranges_digest(claims->seed, record),
	};
	claims->count++;
	*claim_ptr = claim;
	return 0;
}

int published_ranges_keep_record(struct published_ranges *claims, struct published_range *claim,
				 const struct pmem2fs_record *record)
{
	if (array_reserve(claims->records, &claims->record_room, claims->record_count + 1, 16))
		return -ENOMEM;
	claim->record = claims->record_count;
	claims->records[claims->record_count++] = *record;
	return 0;
}

static size_t parts_of(const struct published_range *claim)
{
	return claim->extents ? claim->extents->count : 1;
}

static struct published_part part_of(const struct published_ranges *claims, size_t number, size_t i)
{
	const struct published_range *claim = &claims->list[number];
	struct published_part part = {.begin = claim->begin, .end = claim->end, .claim = number};

	if (claim->extents) {
		part.begin = claim->begin + claim->extents->list[i].offset;
		part.end = part.begin + claim->extents->list[i].length;
	}
	return part;
}

static int by_address(const void *a, const void *b)
{
	const struct published_part *x = a, *y = b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	return (x->claim > y->claim) - (x->claim < y->claim);
}

/* Parts that share an address count as one: as an order it holds among parts that do not. */
static int by_place(const void *a, const void *b)
{
	const struct published_part *x = a, *y = b;

	if (x->end <= y->begin)
		return -1;
	return x->begin >= y->end;
}

static bool in_order(const struct published_ranges *claims)
{
	for (size_t i = 1; i < claims->part_count; i++)
		if (claims->parts[i - 1].begin > claims->parts[i].begin)
			return false;
	return true;
}

static bool overlapping(const struct published_ranges *claims)
{
	for (size_t i = 1; i < claims->part_count; i++)
		if (claims->parts[i - 1].end > claims->parts[i].begin)
			return true;
	return false;
}

static bool is_free(void *const *taken, const struct published_ranges *claims, size_t number)
{
	for (size_t i = 0; i < parts_of(&claims->list[number]); i++) {
		struct published_part part = part_of(claims, number, i);

		if (tfind(&part, taken, by_place))
			return false;
	}
	return true;
}

static void nothing(void *unused)
{
	(void)unused;
}

/* First come, first served. `store` has room for all parts. */
static int refuse(struct published_ranges *claims, struct published_part *store)
{
	void *taken = NULL;
	size_t used = 0;
	int error = 0;

	for (size_t number = 0; !error && number < claims->count; number++) {
		struct published_range *claim = &claims->list[number];

		claim->refused = !is_free(&taken, claims, number);
		for (size_t i = 0; !error && !claim->refused && i < parts_of(claim); i++) {
			store[used] = part_of(claims, number, i);
			if (!tsearch(&store[used++], &taken, by_place))
				error = -ENOMEM;
		}
	}
	tdestroy(taken, nothing);
	return error;
}

/* Parts of claims that hold, in the order of the claims. */
static void fill(struct published_ranges *claims)
{
	claims->part_count = 0;
	for (size_t number = 0; number < claims->count; number++)
		for (size_t i = 0;
		     !claims->list[number].refused && i < parts_of(&claims->list[number]); i++)
			claims->parts[claims->part_count++] = part_of(claims, number, i);
	if (!in_order(claims))
		qsort(claims->parts, claims->part_count, sizeof(*claims->parts), by_address);
}

int published_ranges_settle(struct published_ranges *claims)
{
	size_t total = 0;
	int error;

	for (size_t number = 0; number < claims->count; number++)
		total += parts_of(&claims->list[number]);
	claims->parts = malloc((total + 1) * sizeof(*claims->parts));
	if (!claims->parts)
		return -ENOMEM;
	fill(claims);
	if (!overlapping(claims))
		return 0;
	error = refuse(claims, claims->parts);
	if (!error)
		fill(claims);
	return error;
}
