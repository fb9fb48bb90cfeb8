/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_maps.c - whatever /proc/PID/maps holds, its areas are in order, and each is found again
 */
#include "host/proc.h"
#include "host/proc_maps.h"
#include "input_file.h"
#include <errno.h>
#include <string.h>

#define PAGE 4096

static const uint8_t *input;
static size_t input_size;

/* In place of proc.c. */
int proc_open(pid_t pid, const char *name)
{
	REQUIRE(pid == 0 && !strcmp(name, "maps"));
	return input_file(input, input_size);
}

static void check_extents(const struct extents *extents, uint64_t whole)
{
	uint64_t at = 0;

	for (size_t i = 0; i < extents->count; i++) {
		REQUIRE(extents->list[i].length > 0);
		REQUIRE(i == 0 || extents->list[i].offset > at);
		REQUIRE(extents->list[i].offset <= whole);
		REQUIRE(extents->list[i].length <= whole - extents->list[i].offset);
		at = extents->list[i].offset + extents->list[i].length;
	}
}

/* A mapping of `length` bytes that begins with that area. */
static void find(const struct maps *maps, const struct maps_area *area, uint64_t length)
{
	const struct pmem2fs_record record = {
		.address = area->begin,
		.length = length,
		.offset = area->offset,
		.source_dev = area->dev,
		.source_inode = area->inode,
		.source_type = area->inode ? PMEM2FS_SOURCE_FILE : PMEM2FS_SOURCE_ANONYMOUS,
		.sharing = area->inode ? PMEM2_SHARED : PMEM2_PRIVATE,
	};
	const struct maps_area *first;
	struct extents *extents;

	REQUIRE(maps_find(maps, &record, &extents, &first) == 0);
	REQUIRE(first == area);
	REQUIRE(!extents || length > area->end - area->begin);
	if (extents)
		check_extents(extents, extents_whole(length));
	free(extents);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct maps maps;

	input = data;
	input_size = size;
	if (maps_read(&maps, 0) != 0)
		return 0;
	for (size_t i = 0; i < maps.count; i++) {
		const struct maps_area *area = &maps.list[i];
		uint64_t length = area->end - area->begin;

		REQUIRE(area->begin < area->end);
		REQUIRE(i == 0 || area[-1].end <= area->begin);
		REQUIRE(area->inode || area->name == MAPS_OTHER);
		if (length % PAGE == 0) {
			find(&maps, area, length);
			if (area->begin < UINT64_MAX / 2 && length < UINT64_MAX / 8)
				find(&maps, area, 3 * length);
		}
	}
	maps_clear(&maps);
	return 0;
}
