/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capacity.c - see capacity.h
 */
#include "fuse/capacity.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "facts/facts_cache.h"
#include "libpmem2fs.h"
#include <errno.h>
#include <stdlib.h>

struct capacity {
	const struct catalog *catalog;
	struct pool *helpers;
	unsigned lane;
	uint64_t bytes;
	uint64_t checked; /* clock_now() when `bytes` was read, 0: never */
	uint64_t mapped;
	uint64_t changes; /* dax_changes of totals.h when `mapped` was counted */
	bool counted;     /* `mapped` has been counted at least once */
};

struct capacity *capacity_new(const struct catalog *catalog, struct pool *helpers, unsigned lane)
{
	struct capacity *capacity = calloc(1, sizeof(*capacity));

	if (capacity) {
		capacity->catalog = catalog;
		capacity->helpers = helpers;
		capacity->lane = lane;
	}
	return capacity;
}

void capacity_free(struct capacity *capacity)
{
	free(capacity);
}

static void find_out(struct task *task)
{
	struct capacity_query *query = container_of(task, struct capacity_query, task);

	if (query->read && pmem2fs_host_capacity(&query->bytes))
		query->bytes = 0;
	if (query->count)
		query->mapped = source_ranges_bytes(&query->ranges);
}

/* Limits `mapped`: it may be of devices that do not count in `bytes`. */
static void answer(struct capacity_query *query)
{
	const struct capacity *capacity = query->capacity;

	query->bytes = capacity->bytes;
	query->mapped = capacity->mapped < capacity->bytes ? capacity->mapped : capacity->bytes;
	query->known(query);
}

static void found_out(struct task *task)
{
	struct capacity_query *query = container_of(task, struct capacity_query, task);
	struct capacity *capacity = query->capacity;

	if (query->read) {
		capacity->bytes = query->bytes;
		capacity->checked = clock_now();
	}
	if (query->count) {
		free(query->ranges.list);
		capacity->mapped = query->mapped;
		capacity->changes = query->changes;
		capacity->counted = true;
	}
	answer(query);
}

int capacity_request(struct capacity *capacity, struct capacity_query *query)
{
	query->capacity = capacity;
	query->changes = catalog_totals(capacity->catalog).dax_changes;
	query->read = !capacity->checked || clock_now() - capacity->checked >= FACTS_CACHE_FRESH;
	query->count = !capacity->counted || capacity->changes != query->changes;
	if (!query->read && !query->count) {
		answer(query);
		return 0;
	}
	query->ranges = (struct source_ranges){0};
	query->task = (struct task){.lane = capacity->lane, .run = find_out, .done = found_out};
	if ((query->count && source_ranges_add_mapped(&query->ranges, capacity->catalog)) ||
	    pool_submit(capacity->helpers, &query->task)) {
		free(query->ranges.list);
		return -ENOMEM;
	}
	return 0;
}
