/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * published_ranges.c - see published_ranges.h
 *
 * A process may publish anything: the work here grows with the number of ranges and of areas, times
 * a logarithm, whatever is in them.
 */
#include "scan/published_ranges.h"
#include "base/array.h"
#include "base/hash.h"
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* Areas compared for each range and each area, on average. True ranges need one or two. */
#define STEPS 8

uint64_t published_ranges_digest(uint64_t seed, const struct pmem2fs_record *record)
{
	uint64_t words[sizeof(*record) / sizeof(uint64_t)];

	_Static_assert(sizeof(words) == sizeof(*record), "all of the record");
	memcpy(words, record, sizeof(words));
	return hash_words(words, sizeof(words) / sizeof(*words), seed);
}

void published_ranges_clear(struct published_ranges *published)
{
	for (size_t i = 0; i < published->count; i++)
		free(published->list[i].extents);
	free(published->list);
	free(published->records);
	free(published->parts);
	published->count = published->room = 0;
	published->record_count = published->record_room = 0;
	published->part_count = 0;
	published->list = NULL;
	published->records = NULL;
	published->parts = NULL;
	published->steps = 0;
}

static int is_of_source(void *arg, const struct maps_area *area, uint64_t start,
			const struct pmem2fs_record *record)
{
	struct published_ranges *published = arg;

	if (published->steps++ > STEPS * (published->maps->count + published->count + 1))
		return -E2BIG;
	if (record->source_type == PMEM2FS_SOURCE_ANONYMOUS) {
		if (record->sharing == PMEM2_PRIVATE)
			return !area->inode && !area->shared;
		return area->name == MAPS_ZERO && area->shared && !start &&
		       area->dev == dax_shmem(published->dax);
	}
	if (!area->inode || start != record->offset)
		return 0;
	if (area->dev == record->source_dev)
		return area->inode == record->source_inode;
	return !major(record->source_dev) && dax_is_file(published->dax, published->maps, area,
							 record->source_dev, record->source_inode);
}

/* What the kernel says of the area replaces what the process says. */
static void correct_record(const struct published_ranges *published, struct pmem2fs_record *record,
			   const struct maps_area *area)
{
	const struct dax_file *file;

	record->uid = published->uid;
	record->gid = published->gid;
	record->protection = area->protection;
	record->sharing = area->shared ? PMEM2_SHARED : PMEM2_PRIVATE;
	if (record->source_type == PMEM2FS_SOURCE_ANONYMOUS)
		return;
	file = dax_find(published->dax, published->maps, area);
	record->source_type = file ? file->type : PMEM2FS_SOURCE_FILE;
	record->source_rdev = file ? file->rdev : 0;
}

static struct published_range *next_range(struct published_ranges *published)
{
	if (array_reserve(published->list, &published->room, published->count + 1, 64))
		return NULL;
	return &published->list[published->count];
}

int published_ranges_add(struct published_ranges *published, struct pmem2fs_record *record,
			 struct published_range **range_ptr)
{
	uint64_t end = record->address + extents_whole(record->length);
	struct published_range *range = next_range(published);
	const struct maps_area *first;
	struct extents *extents;
	int error;

	*range_ptr = NULL;
	published->seen++;
	if (!range)
		return -ENOMEM;
	if (end < record->address)
		return 0;
	error = maps_find_if(published->maps, record, is_of_source, published, &extents, &first);
	if (error)
		return error == -E2BIG ? 0 : error;
	if (!first || (extents && extents->count > EXTENTS_MAX)) {
		free(extents);
		return 0;
	}
	correct_record(published, record, first);
	*range = (struct published_range){
		.begin = record->address,
		.end = end,
		.extents = extents,
		.digest = published_ranges_digest(published->seed, record),
	};
	published->count++;
	*range_ptr = range;
	return 0;
}

int published_ranges_recall(struct published_ranges *published, const struct published_range *range)
{
	struct published_range *next = next_range(published);

	if (!next) {
		free(range->extents);
		return -ENOMEM;
	}
	*next = *range;
	published->count++;
	return 0;
}

int published_ranges_keep_record(struct published_ranges *published, struct published_range *range,
				 const struct pmem2fs_record *record)
{
	if (array_reserve(published->records, &published->record_room, published->record_count + 1,
			  16))
		return -ENOMEM;
	range->record = published->record_count;
	published->records[published->record_count++] = *record;
	return 0;
}

static size_t parts_of(const struct published_range *range)
{
	return range->extents ? range->extents->count : 1;
}

static struct published_part part_of(const struct published_ranges *published, size_t number,
				     size_t i)
{
	const struct published_range *range = &published->list[number];
	struct published_part part = {.begin = range->begin, .end = range->end, .range = number};

	if (range->extents) {
		part.begin = range->begin + range->extents->list[i].offset;
		part.end = part.begin + range->extents->list[i].length;
	}
	return part;
}

static int by_address(const void *a, const void *b)
{
	const struct published_part *x = a, *y = b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	return (x->range > y->range) - (x->range < y->range);
}

/* Parts that share an address are equal: an order as long as no two parts in the tree do. */
static int by_place(const void *a, const void *b)
{
	const struct published_part *x = a, *y = b;

	if (x->end <= y->begin)
		return -1;
	return x->begin >= y->end;
}

static bool in_order(const struct published_ranges *published)
{
	for (size_t i = 1; i < published->part_count; i++)
		if (published->parts[i - 1].begin > published->parts[i].begin)
			return false;
	return true;
}

static bool overlapping(const struct published_ranges *published)
{
	for (size_t i = 1; i < published->part_count; i++)
		if (published->parts[i - 1].end > published->parts[i].begin)
			return true;
	return false;
}

static bool is_free(void *const *taken, const struct published_ranges *published, size_t number)
{
	for (size_t i = 0; i < parts_of(&published->list[number]); i++) {
		struct published_part part = part_of(published, number, i);

		if (tfind(&part, taken, by_place))
			return false;
	}
	return true;
}

static void free_nothing(void *unused)
{
	(void)unused;
}

/* Of ranges that share an address, the first one stays. `store` has room for all parts. */
static int refuse_overlapping(struct published_ranges *published, struct published_part *store)
{
	void *taken = NULL;
	size_t used = 0;
	int error = 0;

	for (size_t number = 0; !error && number < published->count; number++) {
		struct published_range *range = &published->list[number];

		range->refused = !is_free(&taken, published, number);
		for (size_t i = 0; !error && !range->refused && i < parts_of(range); i++) {
			store[used] = part_of(published, number, i);
			if (!tsearch(&store[used++], &taken, by_place))
				error = -ENOMEM;
		}
	}
	tdestroy(taken, free_nothing);
	return error;
}

/* The parts of the ranges that are not refused, by address. */
static void fill_parts(struct published_ranges *published)
{
	published->part_count = 0;
	for (size_t number = 0; number < published->count; number++)
		for (size_t i = 0;
		     !published->list[number].refused && i < parts_of(&published->list[number]);
		     i++)
			published->parts[published->part_count++] = part_of(published, number, i);
	if (!in_order(published))
		qsort(published->parts, published->part_count, sizeof(*published->parts),
		      by_address);
}

int published_ranges_settle(struct published_ranges *published)
{
	size_t total = 0;
	int error;

	for (size_t number = 0; number < published->count; number++)
		total += parts_of(&published->list[number]);
	published->parts = malloc((total + 1) * sizeof(*published->parts));
	if (!published->parts)
		return -ENOMEM;
	fill_parts(published);
	if (!overlapping(published))
		return 0;
	error = refuse_overlapping(published, published->parts);
	if (!error)
		fill_parts(published);
	return error;
}
