/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * badlist.c - a list of bad bytes, and the kernel's list of the bad sectors of a device
 *
 * Owns nothing. Calls libc only.
 *
 * The kernel writes "SECTOR COUNT" lines. It divides long ranges into pieces of 512 sectors, which
 * Linux 6.1 lists in descending order. sysfs shows at most a page: a last line without a newline
 * may be incomplete and is ignored.
 */
#include "device/badlist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512

int badlist_append(struct badlist *list, uint64_t begin, uint64_t end)
{
	/* The array is full when the count is a power of two, from 8 on. */
	if (!list->count || (list->count >= 8 && !(list->count & (list->count - 1)))) {
		size_t capacity = list->count ? 2 * list->count : 8;
		struct bad_range *ranges =
			reallocarray(list->ranges, capacity, sizeof(*list->ranges));

		if (!ranges)
			return -ENOMEM;
		list->ranges = ranges;
	}
	list->ranges[list->count++] = (struct bad_range){begin, end};
	return 0;
}

void badlist_free(struct badlist *list)
{
	free(list->ranges);
	*list = (struct badlist){0};
}

/*
 * No device has that many sectors. The limit keeps sums of two sector numbers, in bytes, from
 * overflowing.
 */
#define SECTOR_MAX (UINT64_MAX / SECTOR / 4)

static int parse_bad_line(char *line, uint64_t begin, uint64_t end, struct badlist *list)
{
	uint64_t sector = strtoull(line, &line, 10);
	uint64_t count = strtoull(line, &line, 10);
	uint64_t from, to;

	if (sector > SECTOR_MAX || count > SECTOR_MAX)
		return 0;
	from = sector * SECTOR;
	to = from + count * SECTOR;
	if (from < begin)
		from = begin;
	if (to > end)
		to = end;
	return from < to ? badlist_append(list, from - begin, to - begin) : 0;
}

static int compare_bad_ranges(const void *one, const void *other)
{
	const struct bad_range *a = one, *b = other;

	return (a->begin > b->begin) - (a->begin < b->begin);
}

static void sort_and_join(struct badlist *list)
{
	struct bad_range *last = list->ranges;

	if (!list->count)
		return;
	qsort(list->ranges, list->count, sizeof(*list->ranges), compare_bad_ranges);
	for (size_t i = 1; i < list->count; i++) {
		const struct bad_range *range = &list->ranges[i];

		if (range->begin > last->end)
			*++last = *range;
		else if (range->end > last->end)
			last->end = range->end;
	}
	list->count = (size_t)(last - list->ranges) + 1;
}

int badlist_read(const char *path, uint64_t begin, uint64_t end, struct badlist *list)
{
	struct badlist found = {0};
	char *line = NULL;
	size_t size = 0;
	ssize_t length;
	int error = 0;
	FILE *file;

	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (!error && (length = getline(&line, &size, file)) > 0)
		if (line[length - 1] == '\n')
			error = parse_bad_line(line, begin, end, &found);
	if (!error && !feof(file))
		error = -errno;
	free(line);
	fclose(file);
	if (error) {
		badlist_free(&found);
		return error;
	}
	sort_and_join(&found);
	*list = found;
	return 0;
}
