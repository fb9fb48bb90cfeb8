/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * service.h - what the parts of the worker share
 *
 * One object, made by worker.c, used by the request loop alone.
 */
#ifndef PMEM2FS_SERVICE_H
#define PMEM2FS_SERVICE_H

#include "base/stuck_threads.h"
#include "change/changes.h"
#include "change/mapper.h"
#include "fuse/invalidate.h"
#include "options.h"

struct service {
	const struct options *options;
	struct catalog *catalog;
	struct facts_cache *facts_cache;
	struct keeper_link *keeper;
	struct pmem2fs_table *table; /* the keeper's */
	struct pool *openers;        /* lane: the user */
	struct pool *helpers;        /* lane: enum helper_lane, one thread each */
	struct events *events;
	struct process_table *process_table;
	struct releases *releases;
	struct limits limits; /* from the options */
	struct mapper mapper;
	struct changes changes;
	struct device_monitor *device_monitor;
	struct invalidate invalidate;
};

/* One thread each. */
enum helper_lane {
	LANE_INVALIDATE,
	LANE_CAPACITY,
	LANE_DEVICE_MONITOR,
	LANE_FACTS, /* and those behind it: stuck_threads.h */
	LANE_SCAN = LANE_FACTS + STUCK_THREADS_MAX,
	LANES = LANE_SCAN + STUCK_THREADS_MAX,
};

#endif
