/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mount.c - see mount.h
 *
 * libfuse mounts, in a session that serves no requests: it knows both mount(2) and fusermount3.
 */
#define FUSE_USE_VERSION 314
#include "mount/mount.h"
#include "base/folder_lock.h"
#include "base/log.h"
#include "mount/mounted.h"
#include "mount/mountinfo.h"
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct mount {
	char *mountpoint;
	struct fuse_session *session; /* owns the connection's descriptor */
	dev_t dev;
};

/* Ends the waits of callers whose worker will not answer. Root's unmount (MNT_FORCE) does that. */
static void abort_connection(dev_t dev)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%u/abort", minor(dev));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "1", 1) != 1)
		log_debug("%s: %s", path, strerror(errno));
	close(fd);
}

static struct fuse_session *session_new(const char *source, bool allow_other)
{
	static const struct fuse_lowlevel_ops none;
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session = NULL;

	if (fuse_opt_add_arg(&args, "pmem2fs") || fuse_opt_add_arg(&args, "-o") ||
	    fuse_opt_add_arg(&args, allow_other ? "allow_other" : "rw") ||
	    fuse_opt_add_arg(&args, "-o") ||
	    fuse_opt_add_arg(&args, "subtype=pmem2fs,default_permissions,nosuid,nodev,noexec") ||
	    fuse_opt_add_arg(&args, "-o") || fuse_opt_add_arg(&args, ""))
		goto free_args;
	/* The name is one argument whatever is in it: a comma would begin another option. */
	free(args.argv[6]);
	if (asprintf(&args.argv[6], "fsname=%s", source) < 0) {
		args.argv[6] = NULL;
		goto free_args;
	}
	for (char *c = args.argv[6]; *c; c++)
		if (*c == ',' || *c == '\\')
			*c = '_';
	session = fuse_session_new(&args, &none, sizeof(none), NULL);
free_args:
	fuse_opt_free_args(&args);
	return session;
}

/*
 * Sets *dev to the device number of the pmem2fs that is mounted there. Returns 0, -ENOENT if none
 * is, or the errno with which that cannot be found out.
 */
static int device_on(const char *mountpoint, dev_t *dev)
{
	struct mount_line line;
	int place = mounted_open(mountpoint, &line);

	*dev = 0;
	if (place < 0)
		return place == -ENOENT ? -EIO : place;
	close(place);
	if (!mounted_is_pmem2fs(&line, mountpoint))
		return -ENOENT;
	*dev = line.dev;
	return 0;
}

int mount_begin(const char *source, const char *mountpoint, bool allow_other,
		struct mount **mount_ptr)
{
	struct mount *mount = calloc(1, sizeof(*mount));
	int lock, error = -ENOMEM;

	if (!mount)
		return -ENOMEM;
	lock = folder_lock(mountpoint);
	mount->mountpoint = strdup(mountpoint);
	mount->session = session_new(source, allow_other || geteuid() == 0);
	if (!mount->mountpoint || !mount->session)
		goto free_mount;
	error = -EBUSY;
	if (!device_on(mountpoint, &mount->dev)) {
		log_error("%s: pmem2fs is mounted there already", mountpoint);
		goto free_mount;
	}
	error = -EIO;
	if (fuse_session_mount(mount->session, mountpoint)) /* libfuse has logged the reason */
		goto free_mount;
	error = device_on(mountpoint, &mount->dev);
	if (error == -ENOENT) {
		log_error("%s: was unmounted at once", mountpoint);
		goto free_mount;
	}
	if (error)
		log_warning("%s: cannot find out which mount it is: %s", mountpoint,
			    strerror(-error));
	*mount_ptr = mount;
	error = 0;
	goto unlock;
free_mount:
	log_error("%s: cannot mount: %s", mountpoint, strerror(-error));
	if (mount->session)
		fuse_session_destroy(mount->session);
	free(mount->mountpoint);
	free(mount);
unlock:
	folder_unlock(lock);
	return error;
}

int mount_fd(const struct mount *mount)
{
	return fuse_session_fd(mount->session);
}

dev_t mount_device(const struct mount *mount)
{
	return mount->dev;
}

bool mount_is_there(const struct mount *mount)
{
	struct mount_line *line = malloc(sizeof(*line));
	/* Something else may be mounted over it, or it may have been moved. */
	bool there = !line || !mount->dev || mountinfo_by_device(0, mount->dev, line) != -ENOENT;

	free(line);
	return there;
}

void mount_take_away(const char *mountpoint, dev_t dev)
{
	struct mount_line line;
	int place, lock = -1, error = 0;

	if (!dev)
		return;
	/* fusermount3 takes the path: with the lock no daemon mounts there after mounted_open. */
	if (geteuid() != 0)
		lock = folder_lock(mountpoint);
	place = mounted_open(mountpoint, &line);
	if (place >= 0 && mounted_is_pmem2fs(&line, mountpoint) && line.dev == dev) {
		if (geteuid() != 0)
			abort_connection(dev);
		error = mounted_detach(place, mountpoint, MNT_FORCE);
	}
	if (error)
		log_error("%s: cannot unmount: %s", mountpoint, strerror(-error));
	if (place >= 0)
		close(place);
	folder_unlock(lock);
}

void mount_end(struct mount *mount)
{
	struct pollfd connection = {.fd = fuse_session_fd(mount->session)};

	mount_take_away(mount->mountpoint, mount->dev);
	/*
	 * fuse_session_unmount frees what libfuse holds, but it would also unmount whatever is
	 * mounted there now: it is called only when the connection has ended.
	 */
	if (poll(&connection, 1, 0) == 1 && connection.revents & POLLERR)
		fuse_session_unmount(mount->session);
	fuse_session_destroy(mount->session);
	free(mount->mountpoint);
	free(mount);
}
