// SPDX-License-Identifier: BSD-3-Clause
/*
 * find_mount_holders.c - the mounts that hold an object
 *
 * A device is held by the mounts of its file system; a mount point by what is mounted below it, and
 * by the other mounts of the same file system, but for those that are unmounted along with it; a
 * file by its mounts elsewhere. Calls mounts.c, other_holders.c, object.c, memory.c and sysfs.c.
 */
#include "ctl/find_mount_holders.h"
#include "ctl/memory.h"
#include "ctl/mounts.h"
#include "ctl/object.h"
#include "ctl/other_holders.h"
#include "ctl/sysfs.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

dev_t mount_holders_filesystem(const struct mounts *mounts, const struct object *object)
{
	const struct mount *own = mounts_find(mounts, object->mount);

	return own ? own->dev : object->dev;
}

/* Whether the place is listed already: one line for all namespaces that have it. */
static bool is_known(const struct other_holders *holders, const struct object_device *device,
		     const char *path)
{
	for (size_t i = 0; i < holders->count; i++) {
		const struct other_holder *holder = &holders->list[i];

		if (holder->kind == HOLDER_MOUNT && holder->device == device &&
		    !strcmp(holder->path, path))
			return true;
	}
	return false;
}

static void add(struct other_holders *holders, const struct mounts *mounts,
		const struct mount *mount, const struct object_device *device)
{
	const struct mount_view *view = &mounts->views[mount->view];

	/*
	 * A mount that several processes see is reported once, as the first of them sees it; this
	 * process comes first.
	 */
	if (mounts_find(mounts, mount->id) != mount || is_known(holders, device, mount->path))
		return;
	other_holders_add(holders, &(struct other_holder){
					   .kind = HOLDER_MOUNT,
					   .device = device,
					   .type = mount->type,
					   .path = mount->path,
					   .pid = view->pid,
					   .comm = view->pid ? view->comm : NULL,
				   });
}

/*
 * Finds the device below a mount. A file system that may use several disks has a device number of
 * its own; its source is the first disk.
 */
static const struct object_device *device_of(const struct object *object, const struct mount *mount)
{
	const struct object_device *device = object_find(object, true, mount->dev);
	struct stat status;

	if (device || major(mount->dev) || strncmp(mount->source, "/dev/", 5) ||
	    stat(mount->source, &status) || !S_ISBLK(status.st_mode))
		return device;
	return object_find(object, true, status.st_rdev);
}

static const char *below(const char *parent, const char *path)
{
	size_t length = strcmp(parent, "/") ? strlen(parent) : 0;

	return strncmp(parent, path, length) ? path : path + length;
}

/*
 * Whether a mount of the same file system in another namespace is unmounted along with `own`: their
 * parent mounts propagate changes, and both are at the same place on them.
 */
static bool goes_along(const struct mounts *mounts, const struct mount *mount,
		       const struct mount *own)
{
	const struct mount *on = mounts_find(mounts, mount->parent);
	const struct mount *own_on = mounts_find(mounts, own->parent);

	return on && own_on && own_on->group &&
	       (on->group == own_on->group || on->master == own_on->group) &&
	       !strcmp(on->root, own_on->root) &&
	       !strcmp(below(on->path, mount->path), below(own_on->path, own->path));
}

static void look_at_mount_point(struct other_holders *holders, const struct object *object,
				const struct mounts *mounts, const struct mount *mount)
{
	dev_t filesystem = mount_holders_filesystem(mounts, object);
	const struct mount *own = mounts_find(mounts, object->mount);
	const struct mount *parent = mounts_find(mounts, mount->parent);

	if (mount->id == object->mount)
		return;
	if (parent && parent != mount && parent->dev == filesystem)
		add(holders, mounts, mount, NULL);
	else if (mount->dev == filesystem && !(own && goes_along(mounts, mount, own)))
		add(holders, mounts, mount, NULL);
}

static void look_at_file(struct other_holders *holders, const struct object *object,
			 const struct mounts *mounts, const struct mount *mount)
{
	char *path;
	struct statx status;
	const struct object_device *none;

	if (mount->dev != mount_holders_filesystem(mounts, object) || mount->id == object->mount)
		return;
	path = memory_format("%s%s", mounts->views[mount->view].directory, mount->path);
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, OBJECT_STATX_MASK, &status))
		other_holders_doubt(holders, DOUBT_NAMESPACE,
				    "what is mounted on %s%s cannot be found", mount->path,
				    mounts->views[mount->view].pid ? " in another mount namespace"
								   : "");
	else if (object_has(object, &status, &none))
		add(holders, mounts, mount, NULL);
	free(path);
}

/* Looks a path up as a process with that view does: the links in it begin at its root. */
static bool look_up_in_view(const struct mount_view *view, const char *path, struct statx *status)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	int root = open(*view->directory ? view->directory : "/", O_PATH | O_CLOEXEC);
	int fd = root < 0 ? -1 : (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	bool found = fd >= 0 &&
		     !statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, OBJECT_STATX_MASK, status);

	if (fd >= 0)
		close(fd);
	if (root >= 0)
		close(root);
	return found;
}

/*
 * Finds the folder of a layer. Its path is as the process saw it that mounted, perhaps with another
 * root directory: it is tried with all, first with that of the view; each view that has the mount
 * is asked for.
 */
static bool find_layer(const struct mounts *mounts, const struct mount *mount, const char *layer,
		       struct statx *status)
{
	if (*layer != '/')
		return false;
	if (look_up_in_view(&mounts->views[mount->view], layer, status))
		return true;
	for (size_t i = 0; i < mounts->view_count; i++)
		if (look_up_in_view(&mounts->views[i], layer, status))
			return true;
	return false;
}

/* By the mount, too: each subvolume of a btrfs has a device number of its own. */
static bool is_on_filesystem(const struct mounts *mounts, const struct object *object,
			     const struct statx *status)
{
	const struct mount *mount =
		status->stx_mask & STATX_MNT_ID ? mounts_find(mounts, status->stx_mnt_id) : NULL;

	return makedev(status->stx_dev_major, status->stx_dev_minor) == object->dev ||
	       (mount && mount->dev == mount_holders_filesystem(mounts, object));
}

static void look_at_layer(struct other_holders *holders, const struct object *object,
			  const struct mounts *mounts, const struct mount *mount, char *layer)
{
	struct statx status;

	sysfs_unescape(layer);
	if (!find_layer(mounts, mount, layer, &status))
		other_holders_doubt(holders, DOUBT_LAYERS,
				    "where the layers of the %s on %s are cannot be found",
				    mount->type, mount->path);
	else if (!is_on_filesystem(mounts, object, &status))
		return;
	else if (object->kind == OBJECT_MOUNT)
		add(holders, mounts, mounts_find(mounts, mount->id), NULL);
	else /* whether an open file is of this layer cannot be found out */
		other_holders_doubt(holders, DOUBT_LAYERS, "it may be in use through the %s on %s",
				    mount->type, mount->path);
}

/* Looks at file systems that keep their files in folders of others (overlay, ecryptfs). */
static void look_at_layers(struct other_holders *holders, const struct object *object,
			   const struct mounts *mounts, const struct mount *mount)
{
	static const char *const keys[] = {
		"lowerdir=", "lowerdir+=", "datadir+=", "upperdir=", "workdir="};
	char *copy, *options, *option, *layer;

	if (!strcmp(mount->type, "ecryptfs")) {
		look_at_layer(holders, object, mounts, mount, mount->source);
		return;
	}
	if (strcmp(mount->type, "overlay"))
		return;
	options = copy = memory_require(strdup(mount->options));
	while ((option = strsep(&options, ",")))
		for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
			if (strncmp(option, keys[i], strlen(keys[i])))
				continue;
			option += strlen(keys[i]);
			while ((layer = strsep(&option, ":")))
				if (*layer) /* empty within "::", which precedes the data layers */
					look_at_layer(holders, object, mounts, mount, layer);
			break;
		}
	free(copy);
}

void find_mount_holders(struct other_holders *holders, const struct object *object,
			const struct mounts *mounts)
{
	for (size_t i = 0; i < mounts->count; i++) {
		const struct mount *mount = &mounts->list[i];
		const struct object_device *device;

		if (object->kind == OBJECT_MOUNT)
			look_at_mount_point(holders, object, mounts, mount);
		else if (object->kind == OBJECT_FILE)
			look_at_file(holders, object, mounts, mount);
		else if ((device = device_of(object, mount)))
			add(holders, mounts, mount, device);
		if (!object->name)
			look_at_layers(holders, object, mounts, mount);
	}
}
