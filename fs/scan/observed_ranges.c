/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * observed_ranges.c - see observed_ranges.h
 */
#include "scan/observed_ranges.h"
#include "base/array.h"
#include "base/hash.h"
#include <errno.h>
#include <stdlib.h>

static bool continues(const struct observed_range *range, const struct maps_area *area,
		      uint64_t begin, uint64_t offset, const struct dax_file *file)
{
	return range->end == begin && range->offset + (range->end - range->begin) == offset &&
	       range->shared == area->shared && range->file.dev == file->dev &&
	       range->file.inode == file->inode;
}

static uint64_t hash_of_range(uint64_t seed, const struct observed_range *range)
{
	const uint64_t words[] = {range->file.dev, range->file.inode, range->file.rdev,
				  range->offset, range->shared};

	return hash_words(words, sizeof(words) / sizeof(*words), seed);
}

/* Adds [begin, end) of an area, which is in no published range. */
static int add_area(struct observed_ranges *observed, const struct published_ranges *published,
		    const struct maps_area *area, uint64_t begin, uint64_t end,
		    const struct dax_file *file)
{
	uint64_t offset = area->offset + (begin - area->begin);
	struct observed_range *last = observed->count ? &observed->list[observed->count - 1] : NULL;

	if (last && continues(last, area, begin, offset, file)) {
		last->end = end;
		return 0;
	}
	if (array_reserve(observed->list, &observed->room, observed->count + 1, 16))
		return -ENOMEM;
	last = &observed->list[observed->count++];
	*last = (struct observed_range){
		.begin = begin,
		.end = end,
		.offset = offset,
		.file = *file,
		.protection = area->protection,
		.shared = area->shared,
	};
	last->identity = hash_of_range(published->seed, last);
	return 0;
}

int observed_ranges_find(struct observed_ranges *observed, const struct published_ranges *published)
{
	const struct published_part *part = published->parts,
				    *end_of_parts = part + published->part_count;
	const struct maps *maps = published->maps;
	int error = 0;

	*observed = (struct observed_ranges){0};
	for (size_t i = 0; !error && i < maps->count; i++) {
		const struct maps_area *area = &maps->list[i];
		const struct dax_file *file = dax_find(published->dax, maps, area);
		uint64_t at = area->begin;

		if (!file)
			continue;
		while (part < end_of_parts && part->end <= at)
			part++;
		while (!error && at < area->end) {
			uint64_t end = area->end;

			if (part < end_of_parts && part->begin < end)
				end = part->begin;
			if (at < end)
				error = add_area(observed, published, area, at, end, file);
			if (end == area->end)
				break;
			at = part->end;
			if (at <= area->end)
				part++;
		}
	}
	if (error)
		observed_ranges_clear(observed);
	return error;
}

void observed_ranges_clear(struct observed_ranges *observed)
{
	free(observed->list);
	*observed = (struct observed_ranges){0};
}

void observed_ranges_record(const struct observed_range *range,
			    const struct published_ranges *published, struct pmem2fs_record *record)
{
	*record = (struct pmem2fs_record){
		.address = range->begin,
		.length = range->end - range->begin,
		.offset = range->offset,
		.source_size = range->file.size,
		.source_dev = range->file.dev,
		.source_rdev = range->file.rdev,
		.source_inode = range->file.inode,
		.uid = published->uid,
		.gid = published->gid,
		.alignment = range->file.alignment,
		.source_type = range->file.type,
		.sharing = range->shared ? PMEM2_SHARED : PMEM2_PRIVATE,
		.protection = range->protection,
	};
}
