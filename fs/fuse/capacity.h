/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capacity.h - how much persistent memory this host has, for df
 *
 * It is read from every device of the host, which may take long: a thread does it, and the result
 * is valid for as long as the facts of a mapping (FACTS_CACHE_FRESH). Owns the last result.
 */
#ifndef PMEM2FS_FUSE_CAPACITY_H
#define PMEM2FS_FUSE_CAPACITY_H

#include "base/thread_pool.h"
#include <stdint.h>

struct capacity;

/* Part of what the caller keeps until `known` is called; `known` is set by the caller. */
struct capacity_query {
	struct task task;
	struct capacity *capacity;
	uint64_t bytes; /* 0 where that cannot be read */
	void (*known)(struct capacity_query *query);
};

/* The reading is done in lane `lane` of `helpers`, which is borrowed. NULL: out of memory. */
struct capacity *capacity_new(struct pool *helpers, unsigned lane);
void capacity_free(struct capacity *capacity);

/*
 * Calls query->known with the bytes, now or later. Returns 0, or -ENOMEM, after which `known` is
 * not called.
 */
int capacity_request(struct capacity *capacity, struct capacity_query *query);

#endif
