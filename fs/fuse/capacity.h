/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capacity.h - how much persistent memory this host has and how much of it is mapped, for df
 *
 * The size is read from every device of the host, which may take long, and is valid for as long as
 * the facts of a mapping (FACTS_CACHE_FRESH). For what is mapped, the ranges of all mappings are
 * sorted; it is valid until a mapping changes. A thread does both. Owns the last results.
 */
#ifndef PMEM2FS_FUSE_CAPACITY_H
#define PMEM2FS_FUSE_CAPACITY_H

#include "base/thread_pool.h"
#include "catalog/catalog.h"
#include "catalog/source_ranges.h"
#include <stdbool.h>
#include <stdint.h>

struct capacity;

/* Part of what the caller keeps until `known` is called; `known` is set by the caller. */
struct capacity_query {
	struct task task;
	struct capacity *capacity;
	bool read, count;            /* whether to read `bytes`, and to count `mapped` */
	struct source_ranges ranges; /* to be counted */
	uint64_t changes;
	uint64_t bytes;  /* the answer: size of the host's devices, 0 if that cannot be read */
	uint64_t mapped; /* the answer: how much of it is mapped */
	void (*known)(struct capacity_query *query);
};

/* The work is done in lane `lane` of `helpers`. Both are borrowed. NULL: out of memory. */
struct capacity *capacity_new(const struct catalog *catalog, struct pool *helpers, unsigned lane);
void capacity_free(struct capacity *capacity);

/*
 * Calls query->known with the answer, now or later. Returns 0, or -ENOMEM, after which `known` is
 * not called.
 */
int capacity_request(struct capacity *capacity, struct capacity_query *query);

#endif
