// SPDX-License-Identifier: BSD-3-Clause
/*
 * object.c - the object whose holders are wanted
 *
 * In sysfs everything that is part of a region or namespace lies below its directory, or below that
 * of the btt, pfn or dax layer that has claimed the namespace. Calls sysfs.c, json.c, report.c,
 * memory.c and base/escape.c.
 */
#include "ctl/object.h"
#include "base/escape.h"
#include "ctl/json.h"
#include "ctl/memory.h"
#include "ctl/report.h"
#include "ctl/sysfs.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define ND_DEVICES  "/sys/bus/nd/devices"
#define CXL_DEVICES "/sys/bus/cxl/devices"
#define DAX_DEVICES "/sys/bus/dax/devices"
#define DISKS       "/sys/class/block"

#define OVERLAYFS_MAGIC 0x794c7630

/* Directories, in sysfs, that everything of the object is below. */
struct roots {
	char *list[64];
	size_t count;
};

/* Where a link in sysfs leads, or NULL. */
static char *follow(struct object *object, const char *directory, const char *name)
{
	char *path = sysfs_join(directory, name);
	char *real = realpath(path, NULL);

	if (!real && !sysfs_is_gone(errno))
		object->partial = true;
	free(path);
	return real;
}

static void add_root(struct object *object, struct roots *roots, const char *directory,
		     const char *name)
{
	char *real = follow(object, directory, name);

	if (!real)
		return;
	if (roots->count < sizeof(roots->list) / sizeof(roots->list[0])) {
		roots->list[roots->count++] = real;
		return;
	}
	object->partial = true;
	free(real);
}

static bool is_below(const struct roots *roots, const char *path)
{
	for (size_t i = 0; i < roots->count; i++) {
		size_t length = strlen(roots->list[i]);

		if (!strncmp(path, roots->list[i], length) &&
		    (path[length] == '/' || path[length] == '\0'))
			return true;
	}
	return false;
}

static char *layer_of(const char *path)
{
	const char *end = strstr(path, "/block/");
	const char *start = end;

	while (start && start > path && start[-1] != '/')
		start--;
	if (!start || strncmp(start, "btt", 3))
		return NULL;
	return memory_require(strndup(start, (size_t)(end - start)));
}

static void add_device(struct object *object, const char *path, bool block, const char *below)
{
	char *text = sysfs_text(path, "dev");
	unsigned maj, min;
	bool valid = text && sscanf(text, "%u:%u", &maj, &min) == 2;

	if (text ? !valid : !sysfs_is_gone(errno))
		object->partial = true;
	free(text);
	if (!valid || object_find(object, block, makedev(maj, min)))
		return;
	memory_reserve(object->devices, &object->room, object->count + 1, 16);
	object->devices[object->count++] = (struct object_device){
		.name = memory_require(strdup(strrchr(path, '/') + 1)),
		.path = memory_require(strdup(path)),
		.layer = layer_of(path),
		.below = below ? memory_require(strdup(below)) : NULL,
		.dev = makedev(maj, min),
		.block = block,
	};
}

static void add_all_below(struct object *object, const struct roots *roots, const char *directory,
			  bool block)
{
	char **names = sysfs_names(directory, "", &object->partial);

	for (size_t i = 0; names[i]; i++) {
		char *real = follow(object, directory, names[i]);

		if (real && is_below(roots, real))
			add_device(object, real, block, NULL);
		free(real);
	}
	sysfs_free(names);
}

/* What holds a disk, for instance a device mapper, with its partitions; they may be held as well.
 */
static void add_stacked(struct object *object)
{
	for (size_t i = 0; i < object->count; i++) {
		char *below = memory_require(strdup(object->devices[i].name));
		char *directory = sysfs_join(object->devices[i].path, "holders");
		char **names = sysfs_names(directory, "", &object->partial);

		for (size_t j = 0; names[j]; j++) {
			struct roots roots = {0};

			add_root(object, &roots, directory, names[j]);
			if (roots.count)
				add_device(object, roots.list[0], true, below);
			add_all_below(object, &roots, DISKS, true);
			free(roots.count ? roots.list[0] : NULL);
		}
		sysfs_free(names);
		free(directory);
		free(below);
	}
}

/* The layers that have claimed a namespace are beside it, not below. */
static void add_claims(struct object *object, struct roots *roots, const char *namespace)
{
	char **names = sysfs_names(ND_DEVICES, "", &object->partial);

	for (size_t i = 0; names[i]; i++) {
		char *directory = sysfs_join(ND_DEVICES, names[i]);
		char *claimed = sysfs_text(directory, "namespace");

		if (!claimed && !sysfs_is_gone(errno))
			object->partial = true;
		if (claimed && !strcmp(claimed, namespace))
			add_root(object, roots, ND_DEVICES, names[i]);
		free(claimed);
		free(directory);
	}
	sysfs_free(names);
}

static bool has_prefix(const char *name, const char *prefix)
{
	size_t length = strlen(prefix);

	return !strncmp(name, prefix, length) && name[length] >= '0' && name[length] <= '9';
}

static void resolve_name(struct object *object)
{
	struct roots roots = {0};
	const char *name = object->name;

	if (has_prefix(name, "region")) {
		object->kind = OBJECT_REGION;
		add_root(object, &roots, ND_DEVICES, name);
		add_root(object, &roots, CXL_DEVICES,
			 name); /* numbers of its own: may be another one */
	} else if (has_prefix(name, "namespace")) {
		object->kind = OBJECT_NAMESPACE;
		add_root(object, &roots, ND_DEVICES, name);
		add_claims(object, &roots, name);
	} else if (has_prefix(name, "dax")) {
		object->kind = OBJECT_NODE;
		add_root(object, &roots, DAX_DEVICES, name);
	} else {
		object->kind = OBJECT_DISK;
		add_root(object, &roots, DISKS, name);
	}
	object->known = roots.count > 0;
	if (object->kind != OBJECT_NODE)
		add_all_below(object, &roots, DISKS, true);
	if (object->kind != OBJECT_DISK)
		add_all_below(object, &roots, DAX_DEVICES, false);
	add_stacked(object);
	for (size_t i = 0; i < roots.count; i++)
		free(roots.list[i]);
}

/* A device file, whatever its name is. */
static int resolve_device(struct object *object, bool block, dev_t dev)
{
	char *path, *real;

	if (!block && !sysfs_is_device_dax(dev)) {
		report(object->what, "is a character device other than device DAX");
		return -1;
	}
	path = sysfs_device(block, dev);
	real = realpath(path, NULL);
	free(path);
	if (!real) {
		report(object->what, "its device is not in sysfs");
		return -1;
	}
	object->name = memory_require(strdup(strrchr(real, '/') + 1));
	free(real);
	resolve_name(object);
	return 0;
}

/* Whether the numbers of a file are those that the kernel gives for its mappings. */
static bool has_own_numbers(const struct object *object)
{
	struct statfs status;

	if (statfs(object->what, &status)) {
		report(object->what, "%s", strerror(errno));
		return false;
	}
	if (status.f_type == OVERLAYFS_MAGIC) {
		report(object->what, "is on an overlay: name the file or mount point below it");
		return false;
	}
	return true;
}

static int resolve_path(struct object *object)
{
	const char *what = object->what;
	struct statx status;

	if (statx(AT_FDCWD, what, AT_STATX_DONT_SYNC, OBJECT_STATX_MASK, &status)) {
		if (errno == ENOENT && !strncmp(what, "/dev/", 5) && what[5] &&
		    !strchr(what + 5, '/')) {
			object->name = memory_require(strdup(what + 5));
			resolve_name(object);
			return 0;
		}
		report(what, "%s", strerror(errno));
		return -1;
	}
	object->dev = makedev(status.stx_dev_major, status.stx_dev_minor);
	object->inode = status.stx_ino;
	object->mount = status.stx_mask & STATX_MNT_ID ? status.stx_mnt_id : 0;
	object->immutable = status.stx_attributes & STATX_ATTR_IMMUTABLE;
	switch (status.stx_mode & S_IFMT) {
	case S_IFBLK:
	case S_IFCHR:
		return resolve_device(object, S_ISBLK(status.stx_mode),
				      makedev(status.stx_rdev_major, status.stx_rdev_minor));
	case S_IFREG:
		object->kind = OBJECT_FILE;
		break;
	case S_IFDIR:
		if (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
			object->kind = OBJECT_MOUNT;
			break;
		}
		report(what, "is a directory, but no mount point");
		return -1;
	default:
		report(what, "is neither a file nor a device nor a mount point");
		return -1;
	}
	object->known = true;
	return has_own_numbers(object) ? 0 : -1;
}

int object_resolve(struct object *object, const char *what)
{
	*object = (struct object){.what = what};
	if (strchr(what, '/'))
		return resolve_path(object);
	if (!*what || *what == '.') {
		report(*what ? what : "''", "not the name of a device");
		return -1;
	}
	object->name = memory_require(strdup(what));
	resolve_name(object);
	return 0;
}

const char *object_kind_name(const struct object *object)
{
	static const char *const names[] = {
		[OBJECT_REGION] = "region", [OBJECT_NAMESPACE] = "namespace",
		[OBJECT_DISK] = "disk",     [OBJECT_NODE] = "node",
		[OBJECT_FILE] = "file",     [OBJECT_MOUNT] = "mount_point",
	};

	return names[object->kind];
}

const struct object_device *object_find(const struct object *object, bool block, dev_t dev)
{
	for (size_t i = 0; i < object->count; i++)
		if (object->devices[i].block == block && object->devices[i].dev == dev)
			return &object->devices[i];
	return NULL;
}

/* Adds an alternative: something is mapped of what has one of the values under `key`. */
static void add_alternative(json_t *where, const char *key, json_t *values)
{
	json_t *alternative = memory_require(json_object());

	json_put(alternative, "mapped", json_true());
	json_put(alternative, key, values);
	json_append(where, alternative);
}

static json_t *device_number(dev_t dev)
{
	return json_sprintf("%u:%u", major(dev), minor(dev));
}

static void append_name(json_t *array, const char *name)
{
	char *text = memory_require(escape_encode(name));

	json_append(array, json_string(text));
	free(text);
}

/* By the names in documents, which stay when the device has gone, and by the numbers. */
static void add_devices(const struct object *object, json_t *where, bool block)
{
	json_t *names = memory_require(json_array()), *numbers = memory_require(json_array());

	if (object->kind == (block ? OBJECT_DISK : OBJECT_NODE))
		append_name(names, object->name);
	for (size_t i = 0; i < object->count; i++) {
		if (object->devices[i].block != block)
			continue;
		append_name(names, object->devices[i].name);
		json_append(numbers, device_number(object->devices[i].dev));
	}
	add_alternative(where, block ? "blockdev" : "chardev", names);
	add_alternative(where, block ? "dev" : "node", numbers);
}

json_t *object_where(const struct object *object)
{
	json_t *where = memory_require(json_array()), *names;

	if (!object->name) {
		add_alternative(where, "dev", device_number(object->dev));
		if (object->kind == OBJECT_FILE)
			json_put(json_array_get(where, 0), "inode",
				 json_sprintf("%" PRIu64, (uint64_t)object->inode));
		return where;
	}
	if (object->kind == OBJECT_REGION || object->kind == OBJECT_NAMESPACE) {
		names = memory_require(json_array());
		append_name(names, object->name);
		add_alternative(where, object_kind_name(object), names);
	}
	add_devices(object, where, true);
	add_devices(object, where, false);
	return where;
}

bool object_has(const struct object *object, const struct statx *status,
		const struct object_device **device)
{
	bool block = S_ISBLK(status->stx_mode);
	dev_t dev = makedev(status->stx_dev_major, status->stx_dev_minor);

	*device = NULL;
	if (!object->name)
		return dev == object->dev &&
		       (object->kind == OBJECT_MOUNT || status->stx_ino == object->inode);
	if (block || S_ISCHR(status->stx_mode))
		*device = object_find(object, block,
				      makedev(status->stx_rdev_major, status->stx_rdev_minor));
	return *device != NULL;
}

void object_clear(struct object *object)
{
	for (size_t i = 0; i < object->count; i++) {
		struct object_device *device = &object->devices[i];

		free(device->name);
		free(device->path);
		free(device->layer);
		free(device->below);
	}
	free(object->devices);
	free(object->name);
}
