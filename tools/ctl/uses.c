// SPDX-License-Identifier: BSD-3-Clause
/*
 * uses.c - who holds an object otherwise than by a mapping
 *
 * Owns the list, and finds what sysfs and /proc/swaps tell; uses_proc.c finds the rest. Calls
 * sysfs.c, object.c, json.c and report.c.
 */
#include "ctl/uses.h"
#include "ctl/json.h"
#include "ctl/memory.h"
#include "ctl/object.h"
#include "ctl/sysfs.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char *copy(const char *text)
{
	return text ? memory_require(strdup(text)) : NULL;
}

void uses_add(struct uses *uses, const struct use *use)
{
	memory_reserve(uses->list, &uses->room, uses->count + 1, 16);
	struct use *added = &uses->list[uses->count++];
	*added = *use;
	added->type = copy(use->type);
	added->path = copy(use->path);
	added->name = copy(use->name);
	added->label = copy(use->label);
	added->comm = copy(use->comm);
}

/* Each device that is stacked on another one is a use of that. */
static void find_stacked(struct uses *uses, const struct object *object)
{
	for (size_t i = 0; i < object->count; i++) {
		struct object_device *device = &object->devices[i];
		struct use use = {.kind = USE_STACKED, .name = device->name};

		for (size_t j = 0; device->below && j < object->count; j++)
			if (!strcmp(object->devices[j].name, device->below))
				use.device = &object->devices[j];
		if (!use.device)
			continue;
		use.label = sysfs_text(device->path, "dm/name");
		uses_add(uses, &use);
		free(use.label);
	}
}

static void find_memory(struct uses *uses, const struct object *object)
{
	for (size_t i = 0; i < object->count; i++) {
		const struct object_device *device = &object->devices[i];
		char *driver = device->block ? NULL : sysfs_link(device->path, "driver");

		if (driver && !strcmp(driver, "kmem"))
			uses_add(uses, &(struct use){.kind = USE_MEMORY, .device = device});
		free(driver);
	}
}

/* Notes a use when the file at `path` is part of the object. Returns whether it could be told. */
static bool add_if_part(struct uses *uses, const struct object *object, const char *path,
			struct use *use)
{
	struct statx status;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &status))
		return false;
	if (object_has(object, &status, &use->device))
		uses_add(uses, use);
	return true;
}

static void find_loops(struct uses *uses, const struct object *object)
{
	char **names = sysfs_names("/sys/block", "loop");

	for (size_t i = 0; names[i]; i++) {
		char *directory = sysfs_join("/sys/block", names[i]);
		char *path = sysfs_text(directory, "loop/backing_file");
		struct use use = {.kind = USE_LOOP, .name = names[i], .path = path};

		/* A path that leads nowhere is that of a file removed, or seen from elsewhere. */
		if (path && *path && !add_if_part(uses, object, path, &use))
			uses->blind |= !object->name;
		free(path);
		free(directory);
	}
	sysfs_free(names);
}

static void find_swap(struct uses *uses, const struct object *object)
{
	FILE *file = fopen("/proc/swaps", "re");
	char *line = NULL;
	size_t room = 0;

	if (!file) {
		/* A kernel without swap has none; a /proc of processes alone has nothing else. */
		uses->blind |= errno != ENOENT || access("/proc/filesystems", F_OK);
		return;
	}
	for (bool title = true; getline(&line, &room, file) > 0; title = false) {
		struct use use = {.kind = USE_SWAP, .path = line};

		line[strcspn(line, " \t\n")] = '\0';
		sysfs_unescape(line);
		if (!title && !add_if_part(uses, object, line, &use))
			uses->blind = true;
	}
	free(line);
	fclose(file);
}

/*
 * Who has a block device to itself and is seen nowhere else, such as the journal of a file system
 * on another disk: the kernel does not let us have it then. As ndctl, this has it for a moment.
 */
static void try_exclusive(struct uses *uses, const struct object_device *device)
{
	char *path = sysfs_join("/dev", device->name);
	int fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	struct stat status;

	if (fd < 0 && errno == EBUSY)
		uses_add(uses, &(struct use){.kind = USE_EXCLUSIVE, .device = device});
	else if (fd < 0 || fstat(fd, &status) || !S_ISBLK(status.st_mode) ||
		 status.st_rdev != device->dev)
		uses->blind = true;
	if (fd >= 0)
		close(fd);
	free(path);
}

void uses_find(struct uses *uses, const struct object *object,
	       bool (*maps)(const void *context, pid_t pid), const void *context)
{
	find_stacked(uses, object);
	find_memory(uses, object);
	find_loops(uses, object);
	find_swap(uses, object);
	uses_find_in_processes(uses, object, maps, context);
	if (uses->count)
		return;
	for (size_t i = 0; i < object->count; i++)
		if (object->devices[i].block)
			try_exclusive(uses, &object->devices[i]);
}

char *use_text(const struct use *use)
{
	const struct object_device *device = use->device;
	FILE *stream;
	char *text;
	size_t length;

	stream = memory_require(open_memstream(&text, &length));
	if (device)
		fprintf(stream, "%s%s%s%s: ", device->name, device->layer ? " (" : "",
			device->layer ? device->layer : "", device->layer ? ")" : "");
	switch (use->kind) {
	case USE_MOUNT:
		fprintf(stream, "%s, mounted on %s", use->type, use->path);
		if (use->pid)
			fprintf(stream, " in the mount namespace of process %d (%s)", use->pid,
				use->comm ? use->comm : "?");
		break;
	case USE_STACKED:
		fprintf(stream, "below %s", use->name);
		if (use->label)
			fprintf(stream, " (%s)", use->label);
		break;
	case USE_SWAP:
		fprintf(stream, "swap space %s", use->path);
		break;
	case USE_LOOP:
		fprintf(stream, "%s is behind %s", use->path, use->name);
		break;
	case USE_MEMORY:
		fputs("memory of this host (system-ram)", stream);
		break;
	case USE_OPEN:
		fprintf(stream, "%s is open in process %d (%s)", use->path, use->pid,
			use->comm ? use->comm : "?");
		break;
	case USE_EXCLUSIVE:
		fputs("in exclusive use, for what cannot be seen", stream);
		break;
	}
	if (fclose(stream))
		memory_exhausted();
	return text;
}

json_t *use_json(const struct use *use)
{
	static const char *const kinds[] = {
		[USE_MOUNT] = "mount",         [USE_STACKED] = "stacked", [USE_SWAP] = "swap",
		[USE_LOOP] = "loop",           [USE_MEMORY] = "memory",   [USE_OPEN] = "open",
		[USE_EXCLUSIVE] = "exclusive",
	};
	json_t *object = memory_require(json_pack("{s:s}", "kind", kinds[use->kind]));

	if (use->device) {
		json_put_bytes(object, "device", use->device->name);
		json_put_bytes(object, "layer", use->device->layer);
	}
	json_put_bytes(object, "name", use->name);
	json_put_bytes(object, "label", use->label);
	json_put_bytes(object, "type", use->type);
	json_put_bytes(object, "path", use->path);
	if (use->pid) {
		json_put(object, "pid", json_integer(use->pid));
		json_put_bytes(object, "comm", use->comm);
	}
	return object;
}

void uses_clear(struct uses *uses)
{
	for (size_t i = 0; i < uses->count; i++) {
		free(uses->list[i].type);
		free(uses->list[i].path);
		free(uses->list[i].name);
		free(uses->list[i].label);
		free(uses->list[i].comm);
	}
	free(uses->list);
}
