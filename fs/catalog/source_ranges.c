/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source_ranges.c - see source_ranges.h
 */
#include "catalog/source_ranges.h"
#include "base/array.h"
#include <errno.h>
#include <stdlib.h>

int source_ranges_add(struct source_ranges *ranges, const struct source_range *range)
{
	if (array_reserve(ranges->list, &ranges->room, ranges->count + 1, 64))
		return -ENOMEM;
	ranges->list[ranges->count++] = *range;
	return 0;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/*
 * Adds [begin, end) of a mapping, in bytes from its start. `end` may be the end of the last page,
 * which is beyond that of the mapping.
 */
static int add_part(struct source_ranges *ranges, const struct pmem2fs_record *record,
		    uint64_t begin, uint64_t end)
{
	bool node = record->source_type == PMEM2FS_SOURCE_DEVDAX;

	if (end > record->length)
		end = record->length;
	return source_ranges_add(ranges,
				 &(struct source_range){
					 .dev = node ? record->source_rdev : record->source_dev,
					 .inode = node ? 0 : record->source_inode,
					 .begin = sum(record->offset, begin),
					 .end = sum(record->offset, end),
				 });
}

static int add_version(struct source_ranges *ranges, const struct version *version)
{
	const struct extents *extents = version->extents;
	struct pmem2fs_record record;
	int error = 0;

	version_record(version, &record);
	if (version->lost || (record.source_type != PMEM2FS_SOURCE_FSDAX &&
			      record.source_type != PMEM2FS_SOURCE_DEVDAX))
		return 0;
	if (!extents)
		return add_part(ranges, &record, 0, record.length);
	for (size_t i = 0; !error && i < extents->count; i++)
		error = add_part(ranges, &record, extents->list[i].offset,
				 extents->list[i].offset + extents->list[i].length);
	return error;
}

int source_ranges_add_mapped(struct source_ranges *ranges, const struct catalog *catalog)
{
	size_t place;
	struct mapping *mapping = catalog_after(catalog, 0, &place);
	int error = 0;

	for (; !error && mapping; mapping = catalog_next(catalog, &place))
		error = add_version(ranges, mapping_version(mapping));
	return error;
}

static int compare(const void *one, const void *other)
{
	const struct source_range *a = one, *b = other;

	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	return a->begin < b->begin ? -1 : a->begin > b->begin;
}

uint64_t source_ranges_bytes(struct source_ranges *ranges)
{
	const struct source_range *source = NULL;
	uint64_t bytes = 0,
		 counted = 0; /* the offset in the source up to which bytes are counted */

	if (ranges->count)
		qsort(ranges->list, ranges->count, sizeof(*ranges->list), compare);
	for (size_t i = 0; i < ranges->count; i++) {
		const struct source_range *range = &ranges->list[i];

		if (!source || range->dev != source->dev || range->inode != source->inode) {
			source = range;
			counted = 0;
		}
		if (counted < range->begin)
			counted = range->begin;
		if (counted < range->end) {
			bytes = sum(bytes, range->end - counted);
			counted = range->end;
		}
	}
	return bytes;
}
