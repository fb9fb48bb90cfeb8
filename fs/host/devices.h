/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devices.h - the pmem and DAX devices below mappings
 *
 * Owns what it found out of each device number. Reads sysfs by the library. Used by one thread at a
 * time.
 */
#ifndef PMEM2FS_HOST_DEVICES_H
#define PMEM2FS_HOST_DEVICES_H

#include "host/mapping_facts.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A device number that was looked up; device is NULL where it is no pmem or dax device. */
struct known_device {
	struct known_device *next;
	dev_t dev;
	bool block;
	uint64_t identity; /* 0: nothing has this number, or what has it is disabled */
	uint64_t checked;
	uint64_t disk; /* the sysfs inode of the disk that a block device is, or is part of */
	bool gone;     /* nothing can be read or written there */
	bool unclear;  /* it could not be looked up, and that is to be tried again */
	bool size_known, badblocks_known;
	uint64_t size; /* of a device-DAX node, bytes */
	size_t badblock_count;
	struct device *device;
};

struct devices;

struct devices *devices_new(void);
void devices_free(struct devices *devices);

/*
 * The facts of a device number as of `since` (clock_now()) or later, looked up again when the
 * number belongs to another device. The object is owned by `devices`. NULL when memory runs out.
 */
const struct known_device *devices_find(struct devices *devices, dev_t dev, bool block,
					uint64_t since);

/* Whether a mapping of that number, which was seen on `seen` before (NULL: not yet), has lost it.
 */
bool known_device_is_lost(const struct known_device *known, const struct device *seen);

#endif
