// SPDX-License-Identifier: BSD-3-Clause
/*
 * find_holders.c - finds who holds an object otherwise than by a mapping
 *
 * Reads sysfs, and tries to open block devices exclusively if no holder was found otherwise. Calls
 * find_process_holders.c, other_holders.c, object.c and sysfs.c.
 */
#include "ctl/find_holders.h"
#include "ctl/find_process_holders.h"
#include "ctl/object.h"
#include "ctl/other_holders.h"
#include "ctl/sysfs.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Each device that is stacked on another one holds that. */
static void find_stacked(struct other_holders *holders, const struct object *object)
{
	for (size_t i = 0; i < object->count; i++) {
		struct object_device *device = &object->devices[i];
		struct other_holder holder = {.kind = HOLDER_STACKED, .name = device->name};

		for (size_t j = 0; device->below && j < object->count; j++)
			if (!strcmp(object->devices[j].name, device->below))
				holder.device = &object->devices[j];
		if (!holder.device)
			continue;
		holder.label = sysfs_text(device->path, "dm/name");
		other_holders_add(holders, &holder);
		free(holder.label);
	}
}

static void find_memory(struct other_holders *holders, const struct object *object)
{
	for (size_t i = 0; i < object->count; i++) {
		const struct object_device *device = &object->devices[i];
		char *driver = device->block ? NULL : sysfs_link(device->path, "driver");

		if (!device->block && !driver && !sysfs_is_gone(errno))
			other_holders_doubt(holders, DOUBT_KERNEL,
					    "what drives %s cannot be found out", device->name);
		if (driver && !strcmp(driver, "kmem"))
			other_holders_add(holders, &(struct other_holder){.kind = HOLDER_MEMORY,
									  .device = device});
		free(driver);
	}
}

/*
 * Who has a block device to itself and is seen nowhere else, such as the journal of a file system
 * on another disk: the kernel does not let us have it then. As ndctl, this has it for a moment.
 */
static void try_exclusive(struct other_holders *holders, const struct object_device *device)
{
	char *path = sysfs_join("/dev", device->name);
	int fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	struct stat status;

	if (fd < 0 && errno == EBUSY)
		other_holders_add(holders, &(struct other_holder){.kind = HOLDER_EXCLUSIVE,
								  .device = device});
	else if (fd < 0 || fstat(fd, &status) || !S_ISBLK(status.st_mode) ||
		 status.st_rdev != device->dev)
		other_holders_doubt(holders, DOUBT_EXCLUSIVE,
				    "whether %s is in exclusive use cannot be found out",
				    device->name);
	if (fd >= 0)
		close(fd);
	free(path);
}

bool find_holders(struct other_holders *holders, const struct object *object,
		  bool (*maps)(const void *context, pid_t pid), const void *context)
{
	find_stacked(holders, object);
	find_memory(holders, object);
	if (!find_process_holders(holders, object, maps, context))
		return false;
	if (holders->count)
		return true;
	for (size_t i = 0; i < object->count; i++)
		if (object->devices[i].block)
			try_exclusive(holders, &object->devices[i]);
	return true;
}
