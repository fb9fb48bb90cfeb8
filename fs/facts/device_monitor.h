/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device_monitor.h - notices changes while somebody listens to events
 *
 * Once a second it has the processes of the host looked at, and itself looks at the devices below
 * the mappings that are shown: earlier where the kernel tells that something happened to one. What
 * is on a device that has changed is looked at again, and the witness tells the events. Does
 * nothing while nobody listens: then whoever reads a document has it looked at.
 */
#ifndef PMEM2FS_DEVICE_MONITOR_H
#define PMEM2FS_DEVICE_MONITOR_H

#include "service.h"
#include <stdint.h>

struct device_monitor;

/* Both are borrowed. NULL when memory runs out. */
struct device_monitor *device_monitor_new(struct service *service, int epoll);
void device_monitor_free(struct device_monitor *device_monitor);

/* Does what is due. Returns when something is due next, UINT64_MAX for never. */
uint64_t device_monitor_expire(struct device_monitor *device_monitor, uint64_t now);

#endif
