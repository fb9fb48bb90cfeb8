/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device_monitor.h - notices changes while somebody subscribes to events
 *
 * Once a second it has the processes of the host scanned, and checks the devices below the mappings
 * that are shown: earlier where the kernel reports that something has happened to one. The facts of
 * mappings on a device that has changed are read again, and the facts cache sends the events. Does
 * nothing while nobody subscribes: then the facts are read when a document is. Owns its list of
 * devices and its socket for uevents. Used by the request loop alone; the checks run in a thread.
 */
#ifndef PMEM2FS_FACTS_DEVICE_MONITOR_H
#define PMEM2FS_FACTS_DEVICE_MONITOR_H

#include <stdint.h>

struct catalog;
struct device_monitor;
struct events;
struct facts_cache;
struct pool;
struct process_table;

/* What a device monitor works with: all borrowed. */
struct device_monitor_config {
	struct catalog *catalog;
	struct events *events;
	struct facts_cache *facts_cache;
	struct process_table *process_table;
	struct pool *pool;
	unsigned lane; /* of the pool, for the checks of devices */
	int epoll;
};

/* NULL when memory runs out. */
struct device_monitor *device_monitor_new(const struct device_monitor_config *config);
void device_monitor_free(struct device_monitor *device_monitor);

/* Does what is due. Returns when something is due next, UINT64_MAX for never. */
uint64_t device_monitor_expire(struct device_monitor *device_monitor, uint64_t now);

#endif
