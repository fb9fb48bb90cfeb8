/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * observed_ranges.c - see observed_ranges.h
 */
#include "scan/observed_ranges.h"
#include "base/array.h"
#include "base/hash.h"
#include <errno.h>
#include <stdlib.h>

static bool continues(const struct observed_range *run, const struct maps_area *area,
		      uint64_t begin, uint64_t offset, const struct dax_file *file)
{
	return run->end == begin && run->offset + (run->end - run->begin) == offset &&
	       run->shared == area->shared && run->file.dev == file->dev &&
	       run->file.inode == file->inode;
}

static uint64_t identity(uint64_t seed, const struct observed_range *run)
{
	const uint64_t words[] = {run->file.dev, run->file.inode, run->file.rdev, run->offset,
				  run->shared};

	return hash_words(words, sizeof(words) / sizeof(*words), seed);
}

/* [begin, end) of an area that nobody claims. */
static int add(struct observed_ranges *runs, const struct published_ranges *claims,
	       const struct maps_area *area, uint64_t begin, uint64_t end,
	       const struct dax_file *file)
{
	uint64_t offset = area->offset + (begin - area->begin);
	struct observed_range *last = runs->count ? &runs->list[runs->count - 1] : NULL;

	if (last && continues(last, area, begin, offset, file)) {
		last->end = end;
		return 0;
	}
	if (array_reserve(runs->list, &runs->room, runs->count + 1, 16))
		return -ENOMEM;
	last = &runs->list[runs->count++];
	*last = (struct observed_range){
		.begin = begin,
		.end = end,
		.offset = offset,
		.file = *file,
		.protection = area->protection,
		.shared = area->shared,
	};
	last->identity = identity(claims->seed, last);
	return 0;
}

int observed_ranges_find(struct observed_ranges *runs, const struct published_ranges *claims)
{
	const struct published_part *part = claims->parts, *behind = part + claims->part_count;
	const struct maps *maps = claims->maps;
	int error = 0;

	*runs = (struct observed_ranges){0};
	for (size_t i = 0; !error && i < maps->count; i++) {
		const struct maps_area *area = &maps->list[i];
		const struct dax_file *file = dax_find(claims->dax, maps, area);
		uint64_t at = area->begin;

		if (!file)
			continue;
		while (part < behind && part->end <= at)
			part++;
		while (!error && at < area->end) {
			uint64_t end = area->end;

			if (part < behind && part->begin < end)
				end = part->begin;
			if (at < end)
				error = add(runs, claims, area, at, end, file);
			if (end == area->end)
				break;
			at = part->end;
			if (at <= area->end)
				part++;
		}
	}
	if (error)
		observed_ranges_clear(runs);
	return error;
}

void observed_ranges_clear(struct observed_ranges *runs)
{
	free(runs->list);
	*runs = (struct observed_ranges){0};
}

void observed_ranges_record(const struct observed_range *run, const struct published_ranges *claims,
			    struct pmem2fs_record *record)
{
	*record = (struct pmem2fs_record){
		.address = run->begin,
		.length = run->end - run->begin,
		.offset = run->offset,
		.source_size = run->file.size,
		.source_dev = run->file.dev,
		.source_rdev = run->file.rdev,
		.source_inode = run->file.inode,
		.uid = claims->uid,
		.gid = claims->gid,
		.alignment = run->file.alignment,
		.source_type = run->file.type,
		.sharing = run->shared ? PMEM2_SHARED : PMEM2_PRIVATE,
		.protection = run->protection,
	};
}
