/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devices.c - see devices.h
 */
#include "host/devices.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/dax_node.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DEVICE_TRIES 3

struct devices {
	struct known_device *list;
};

/* The sysfs inode of the disk; 0: it has none, or that is gone. */
static uint64_t disk_of(const struct device *device)
{
	char path[64];
	struct stat st;

	if (!device->is.blockdev[0])
		return 0;
	snprintf(path, sizeof(path), "/sys/block/%s", device->is.blockdev);
	return stat(path, &st) ? 0 : st.st_ino;
}

/* Tried again: devices may come and go while libndctl lists them. */
static int get_device(dev_t dev, bool block, struct pmem2fs_device *device)
{
	int error = -EAGAIN;

	for (int i = 0; i < DEVICE_TRIES && error && error != -ENODEV; i++)
		error = pmem2fs_device_get(dev, block, device);
	return error;
}

/* The number belongs to another device now, or to none. */
static void read_device(struct known_device *known, uint64_t identity)
{
	struct device *device = calloc(1, sizeof(*device));
	int error = device ? get_device(known->dev, known->block, &device->is) : -ENOMEM;

	device_put(known->device);
	known->device = NULL;
	known->identity = identity;
	known->unclear = error && error != -ENODEV;
	if (!error) {
		device->references = 1;
		known->device = device;
		known->disk = disk_of(device);
		return;
	}
	free(device);
	if (known->unclear)
		log_of_user(LOG_TOPIC_DAEMON, geteuid(), LOG_WARNING, "device %u:%u: %s",
			    major(known->dev), minor(known->dev), pmem2_errormsg());
}

/*
 * A number that sysfs does not have belongs to no device; without sysfs, nothing is known.
 * Below a device mapper the disk can go, and its name come back with another, while all else stays.
 */
static void check_device(struct known_device *known)
{
	uint64_t identity = 0;
	int error = pmem2fs_device_identity(known->dev, known->block, &identity);

	known->size_known = !known->block && dax_node_number(known->dev, "size", &known->size);
	known->unclear |= error && error != -ENODEV;
	if (error && (error != -ENODEV || access("/sys/dev/block", F_OK)))
		return;
	if (identity != known->identity || known->unclear)
		read_device(known, identity);
	known->gone = !identity || (known->device && disk_of(known->device) != known->disk);
	known->badblocks_known =
		known->device && !known->gone &&
		!pmem2fs_device_badblock_count(&known->device->is, &known->badblock_count);
}

static struct known_device *find_known(struct devices *devices, dev_t dev, bool block)
{
	struct known_device *known = devices->list;

	while (known && (known->dev != dev || known->block != block))
		known = known->next;
	return known;
}

const struct known_device *devices_find(struct devices *devices, dev_t dev, bool block,
					uint64_t since)
{
	struct known_device *known = find_known(devices, dev, block);

	if (known && known->checked >= since)
		return known;
	if (!known) {
		known = calloc(1, sizeof(*known));
		if (!known)
			return NULL;
		known->dev = dev;
		known->block = block;
		known->identity = ~0ull;
		known->next = devices->list;
		devices->list = known;
	}
	known->checked = clock_now();
	check_device(known);
	return known;
}

bool known_device_is_lost(const struct known_device *known, const struct device *seen)
{
	return known->gone || (seen && seen->is.sysfs_inode != known->identity);
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
