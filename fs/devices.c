/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devices.c - see devices.h
 */
#include "devices.h"
#include "clock.h"
#include "log.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#define DEVICE_TRIES 3

struct devices {
	struct known_device *list;
};

/* Devices come and go while libndctl lists them: that is no answer yet. */
static int get_device(dev_t dev, bool block, struct pmem2fs_device *device)
{
	int error = -EAGAIN;

	for (int i = 0; i < DEVICE_TRIES && error && error != -ENODEV; i++)
		error = pmem2fs_device_get(dev, block, device);
	return error;
}

const struct known_device *devices_look(struct devices *devices, dev_t dev, bool block)
{
	struct known_device *known = devices->list;
	struct device *device;
	uint64_t identity = 0;
	int error;

	while (known && (known->dev != dev || known->block != block))
		known = known->next;
	if (known && clock_now() - known->checked < CLOCK_SECOND)
		return known;
	if (!known) {
		known = calloc(1, sizeof(*known));
		if (!known)
			return NULL;
		known->dev = dev;
		known->block = block;
		known->next = devices->list;
		devices->list = known;
		known->identity = ~0ull;
	}
	known->checked = clock_now();
	pmem2fs_device_identity(dev, block, &identity);
	if (identity != known->identity) {
		device_put(known->device);
		known->device = NULL;
		known->identity = identity;
		device = calloc(1, sizeof(*device));
		error = device ? get_device(dev, block, &device->is) : -ENOMEM;
		if (!error) {
			device->references = 1;
			known->device = device;
		} else {
			free(device);
			if (error != -ENODEV) { /* tried again at the next look */
				log_warning("device %u:%u: %s", major(dev), minor(dev),
					    pmem2_errormsg());
				known->identity = ~0ull;
				known->checked = 0;
			}
		}
	}
	known->badblocks_known =
		known->device &&
		!pmem2fs_device_badblock_count(&known->device->is, &known->badblock_count);
	return known;
}

struct devices *devices_new(void)
{
	return calloc(1, sizeof(struct devices));
}

void devices_free(struct devices *devices)
{
	struct known_device *known, *next;

	if (!devices)
		return;
	for (known = devices->list; known; known = next) {
		next = known->next;
		device_put(known->device);
		free(known);
	}
	free(devices);
}
