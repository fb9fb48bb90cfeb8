/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping_facts.c - see mapping_facts.h
 */
#include "host/mapping_facts.h"
#include "base/shared_text.h"
#include <stdlib.h>
#include <string.h>

struct process_info *process_info_new(int pid, const char *comm)
{
	struct process_info *owner = calloc(1, sizeof(*owner));

	if (!owner)
		return NULL;
	owner->references = 1;
	owner->is.pid = pid;
	owner->is.comm = strdup(comm);
	return owner;
}

/* Taking a reference needs no order; dropping one must come after every use of the object. */
struct process_info *process_info_get(struct process_info *owner)
{
	if (owner)
		atomic_fetch_add_explicit(&owner->references, 1, memory_order_relaxed);
	return owner;
}

void process_info_put(struct process_info *owner)
{
	if (!owner || atomic_fetch_sub_explicit(&owner->references, 1, memory_order_acq_rel) != 1)
		return;
	free(owner->is.comm);
	free(owner->is.exe);
	free(owner->is.cgroup);
	free(owner);
}

struct device *device_get(struct device *device)
{
	if (device)
		atomic_fetch_add_explicit(&device->references, 1, memory_order_relaxed);
	return device;
}

void device_put(struct device *device)
{
	if (device && atomic_fetch_sub_explicit(&device->references, 1, memory_order_acq_rel) == 1)
		free(device);
}

void facts_clear(struct facts *facts)
{
	shared_text_put(facts->path);
	free(facts->badblocks);
	free(facts->extents);
	process_info_put(facts->owner);
	device_put(facts->device);
	*facts = (struct facts){0};
}
