/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source_badblocks.c - see source_badblocks.h
 */
#include "host/source_badblocks.h"
#include "base/array.h"
#include "base/clock.h"
#include <errno.h>
#include <search.h>
#include <stdlib.h>

struct source {
	dev_t dev;
	uint64_t inode;
	size_t room; /* in the list */
	struct badblock_list bad;
};

struct source_badblocks {
	uint64_t since; /* clock_now() before the first of them was read; 0: none was */
	void *sources;  /* tree of struct source */
};

static int compare_sources(const void *a, const void *b)
{
	const struct source *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return (x->dev > y->dev) - (x->dev < y->dev);
}

static void free_source(void *node)
{
	struct source *source = node;

	free(source->bad.list);
	free(source);
}

static int add_range(struct source *source, const struct pmem2_badblock *range)
{
	struct badblock_list *bad = &source->bad;

	if (array_reserve(bad->list, &source->room, bad->count + 1, 16))
		return -ENOMEM;
	bad->list[bad->count++] = *range;
	return 0;
}

static int read_ranges(struct source *source, int fd)
{
	struct pmem2_badblock_context *context = NULL;
	struct pmem2_source *opened = NULL;
	struct pmem2_badblock range;
	int error;

	error = pmem2_source_from_fd(&opened, fd);
	if (!error)
		error = pmem2_badblock_context_new(&context, opened);
	while (!error) {
		error = pmem2_badblock_next(context, &range);
		if (!error)
			error = add_range(source, &range);
	}
	pmem2_badblock_context_delete(&context);
	pmem2_source_delete(&opened);
	return error == PMEM2_E_NO_BAD_BLOCK_FOUND ? 0 : error;
}

const struct badblock_list *source_badblocks_find(const struct source_badblocks *sources, dev_t dev,
						  uint64_t inode)
{
	const struct source key = {.dev = dev, .inode = inode};
	struct source *const *found = tfind(&key, &sources->sources, compare_sources);

	return found ? &(*found)->bad : NULL;
}

const struct badblock_list *source_badblocks_read(struct source_badblocks *sources, dev_t dev,
						  uint64_t inode, int fd)
{
	struct source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	source->dev = dev;
	source->inode = inode;
	source->bad.known = !read_ranges(source, fd);
	if (!tsearch(source, &sources->sources, compare_sources)) {
		free_source(source);
		return NULL;
	}
	return &source->bad;
}

static void forget_sources(struct source_badblocks *sources)
{
	tdestroy(sources->sources, free_source);
	*sources = (struct source_badblocks){0};
}

uint64_t source_badblocks_begin(struct source_badblocks *sources, uint64_t oldest)
{
	if (!sources->since || sources->since < oldest) {
		forget_sources(sources);
		sources->since = clock_now();
	}
	return sources->since;
}

struct source_badblocks *source_badblocks_new(void)
{
	return calloc(1, sizeof(struct source_badblocks));
}

void source_badblocks_free(struct source_badblocks *sources)
{
	if (!sources)
		return;
	forget_sources(sources);
	free(sources);
}
