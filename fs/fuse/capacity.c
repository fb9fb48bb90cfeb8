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
	struct pool *helpers;
	unsigned lane;
	uint64_t bytes;
	uint64_t checked; /* clock_now(), 0: never */
};

struct capacity *capacity_new(struct pool *helpers, unsigned lane)
{
	struct capacity *capacity = calloc(1, sizeof(*capacity));

	if (capacity) {
		capacity->helpers = helpers;
		capacity->lane = lane;
	}
	return capacity;
}

void capacity_free(struct capacity *capacity)
{
	free(capacity);
}

static void read_capacity(struct task *task)
{
	struct capacity_query *query = container_of(task, struct capacity_query, task);

	if (pmem2fs_host_capacity(&query->bytes))
		query->bytes = 0;
}

static void capacity_read(struct task *task)
{
	struct capacity_query *query = container_of(task, struct capacity_query, task);

	query->capacity->bytes = query->bytes;
	query->capacity->checked = clock_now();
	query->known(query);
}

int capacity_request(struct capacity *capacity, struct capacity_query *query)
{
	if (capacity->checked && clock_now() - capacity->checked < FACTS_CACHE_FRESH) {
		query->bytes = capacity->bytes;
		query->known(query);
		return 0;
	}
	query->capacity = capacity;
	query->task =
		(struct task){.lane = capacity->lane, .run = read_capacity, .done = capacity_read};
	return pool_submit(capacity->helpers, &query->task) ? -ENOMEM : 0;
}
