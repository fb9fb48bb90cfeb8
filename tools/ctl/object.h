/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * object.h - the object whose holders are wanted
 *
 * A region, namespace, disk, partition, DAX node, file or mount point, and the devices whose use is
 * a use of it: the disks and nodes that are part of it, and what is stacked on these.
 */
#ifndef PMEM2FS_CTL_OBJECT_H
#define PMEM2FS_CTL_OBJECT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

enum object_kind {
	OBJECT_REGION,
	OBJECT_NAMESPACE,
	OBJECT_DISK, /* or a partition, or another block device */
	OBJECT_NODE,
	OBJECT_FILE,
	OBJECT_MOUNT,
};

/* What object_has needs of a file. */
#define OBJECT_STATX_MASK (STATX_TYPE | STATX_INO | STATX_MNT_ID)

struct object_device {
	char *name;  /* "pmem0", "dax1.0", "dm-0" */
	char *path;  /* in sysfs */
	char *layer; /* "btt0.0", whose disk it is; NULL: none */
	char *below; /* name of the device that it is stacked on, or NULL */
	dev_t dev;
	bool block;
};

struct object {
	enum object_kind kind;
	const char *what; /* the argument that names it; borrowed */
	char *name;       /* of a device, region or namespace */
	bool known;     /* false: nothing has that name, except perhaps in documents, or partial */
	dev_t dev;      /* st_dev of a file or mount point */
	ino_t inode;    /* of a file */
	uint64_t mount; /* id of the mount that a file or mount point is on */
	bool immutable; /* the file is immutable, as files of quotas are */
	bool partial;   /* not all of sysfs could be read: it may have more devices */
	struct object_device *devices;
	size_t count, room;
};

/* Finds out what `what` names. Returns 0, or -1 after a message. */
int object_resolve(struct object *object, const char *what);

const char *object_kind_name(const struct object *object);

/* The "where" of a question (control.h) for the mappings that map the object. */
json_t *object_where(const struct object *object);

/* The device with that number, or NULL. */
const struct object_device *object_find(const struct object *object, bool block, dev_t dev);

/*
 * Whether an opened file is part of the object: it is the file itself, is below the mount point, or
 * is the node of one of the devices, which is then in *device.
 */
bool object_has(const struct object *object, const struct statx *status,
		const struct object_device **device);

void object_clear(struct object *object);

#endif
