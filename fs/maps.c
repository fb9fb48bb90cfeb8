/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * maps.c - see maps.h
 *
 * Areas and mappings are not one to one: the kernel cuts an area where a program changes its
 * protection or locks it, and makes one of two neighbours that are alike.
 */
#include "maps.h"
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

/* "BEGIN-END rwxp OFFSET MAJOR:MINOR INODE ...", all but the inode in hex; scanf is slow. */
static bool parse(const char *line, struct maps_area *area)
{
	unsigned major, minor;
	char *at;

	area->begin = strtoul(line, &at, 16);
	if (*at != '-')
		return false;
	area->end = strtoul(at + 1, &at, 16);
	for (int i = 0; i < 6; i++) /* " rwxp " */
		if (!*at++)
			return false;
	area->offset = strtoul(at, &at, 16);
	major = (unsigned)strtoul(at, &at, 16);
	if (*at != ':')
		return false;
	minor = (unsigned)strtoul(at + 1, &at, 16);
	area->dev = makedev(major, minor);
	area->inode = strtoul(at, &at, 10);
	return area->begin < area->end;
}

int maps_read(struct maps *maps, pid_t pid)
{
	struct maps result = {0};
	size_t size = 0, room = 0;
	char path[32], *line = NULL;
	FILE *file;
	int error = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (!error && getline(&line, &size, file) > 0) {
		if (result.count == room) {
			size_t larger = room ? room * 2 : 256;
			struct maps_area *list = realloc(result.list, larger * sizeof(*list));

			if (!list) {
				error = -ENOMEM;
				break;
			}
			result.list = list;
			room = larger;
		}
		error = parse(line, &result.list[result.count]) ? 0 : -EIO;
		result.count += !error;
	}
	if (!error && ferror(file)) /* half a list would show what is there as gone */
		error = -EIO;
	free(line);
	fclose(file);
	if (error)
		maps_clear(&result);
	else
		*maps = result;
	return error;
}

void maps_clear(struct maps *maps)
{
	free(maps->list);
	*maps = (struct maps){0};
}

/* The place of the first area that ends behind an address. */
static size_t place_of(const struct maps *maps, uint64_t address)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (maps->list[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/*
 * Whether an area at the addresses of a mapping is of the mapping's source. Of shared memory
 * without a file the kernel shows a file of its own. The number of a stacked or subdivided file
 * system, which has no device, may be another here than fstat's, and then so may the inode's.
 */
static bool is_of_source(const struct maps_area *area, const struct pmem2fs_record *record)
{
	/* Of both, where the first byte of the mapping is or would be. */
	uint64_t start = area->offset - (area->begin - record->address);

	if (record->source_type == PMEM2FS_SOURCE_ANONYMOUS)
		return record->sharing == PMEM2_PRIVATE
			       ? !area->inode
			       : area->inode && !major(area->dev) && !start;
	if (!area->inode || start != record->offset)
		return false;
	if (area->dev == record->source_dev)
		return area->inode == record->source_inode;
	return !major(record->source_dev);
}

int maps_find(const struct maps *maps, const struct pmem2fs_record *record,
	      struct extents **extents, const struct maps_area **first)
{
	uint64_t whole = extents_whole(record->length);
	uint64_t begin = record->address, end = begin + whole;
	struct extents *found = extents_new();

	if (!found)
		return -ENOMEM;
	*first = NULL;
	for (size_t i = place_of(maps, begin); i < maps->count; i++) {
		const struct maps_area *area = &maps->list[i];
		uint64_t from = area->begin > begin ? area->begin : begin;
		uint64_t to = area->end < end ? area->end : end;

		if (from >= end)
			break;
		if (!is_of_source(area, record))
			continue;
		if (extents_append(&found, from - begin, to - begin)) {
			free(found);
			return -ENOMEM;
		}
		if (!*first)
			*first = area;
	}
	if (found->count == 1 && found->list[0].length == whole) {
		free(found);
		found = NULL;
	}
	*extents = found;
	return 0;
}
