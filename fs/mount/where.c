/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * where.c - see where.h
 */
#include "mount/where.h"
#include "base/array.h"
#include "mount/mountinfo.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct seen {
	int id, parent;
	bool wanted; /* a mount of the root of the wanted file system */
	char *target;
};

struct all {
	dev_t dev;
	struct seen *list;
	size_t count, room;
	int error;
};

static void note_mount(void *arg, const struct mount_line *line)
{
	struct all *all = arg;
	char *target;

	if (!line->target[0])
		return; /* no path leads to it, nor to mounts below it */
	target = strdup(line->target);
	if (!target || array_reserve(all->list, &all->room, all->count + 1, 64)) {
		free(target);
		all->error = -ENOMEM;
		return;
	}
	all->list[all->count++] = (struct seen){
		.id = line->id,
		.parent = line->parent,
		.wanted = line->dev == all->dev && line->whole,
		.target = target,
	};
}

/* Whether `target` is `path` or on the way to it. */
static bool is_on_the_way(const char *target, const char *path)
{
	size_t length = strlen(target);

	return !strcmp(target, "/") ||
	       (!strncmp(target, path, length) && (!path[length] || path[length] == '/'));
}

static const struct seen *find_id(const struct all *all, int id)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].id == id)
			return &all->list[i];
	return NULL;
}

/*
 * Whether another mount hides this one: a mount on its root, which counts only if the path ends
 * here (`last`), or a mount on the same parent, at this place or on the way to it.
 */
static bool is_covered(const struct all *all, const struct seen *mount, bool last)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct seen *other = &all->list[i];

		if (other == mount)
			continue;
		if (last && other->parent == mount->id && !strcmp(other->target, mount->target))
			return true;
		if (other->parent == mount->parent && is_on_the_way(other->target, mount->target))
			return true;
	}
	return false;
}

static bool is_visible(const struct all *all, const struct seen *mount)
{
	size_t steps = all->count;
	bool last = true;

	for (; mount && steps; mount = find_id(all, mount->parent), steps--) {
		if (is_covered(all, mount, last))
			return false;
		last = false;
	}
	return true;
}

int mount_where(dev_t dev, const char *usual, char **path)
{
	struct all all = {.dev = dev};
	int error = mountinfo_each(0, note_mount, &all);
	const char *found = NULL;

	if (!error)
		error = all.error;
	for (size_t i = 0; i < all.count; i++) {
		const struct seen *mount = &all.list[i];

		if (mount->wanted && (!found || !strcmp(mount->target, usual)) &&
		    is_visible(&all, mount))
			found = mount->target;
	}
	*path = found && !error ? strdup(found) : NULL;
	if (found && !error && !*path)
		error = -ENOMEM;
	for (size_t i = 0; i < all.count; i++)
		free(all.list[i].target);
	free(all.list);
	return error;
}
