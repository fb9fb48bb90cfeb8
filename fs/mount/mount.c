/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mount.c - see mount.h
 *
 * libfuse mounts, in a session that serves no requests: it knows both mount(2) and fusermount3.
 */
#define FUSE_USE_VERSION 314
#include "mount/mount.h"
#include "base/log.h"
#include "mount/mountinfo.h"
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define FS_TYPE "fuse.pmem2fs"

extern char **environ;

struct mount {
	char *mountpoint;
	struct fuse_session *session; /* owns the connection's descriptor */
	dev_t dev;
};

static int find_ours(const char *mountpoint, dev_t *dev)
{
	struct mount_line *line = malloc(sizeof(*line));
	int result = -ENOENT;

	if (line && !mountinfo_by_target(0, mountpoint, line) && !strcmp(line->type, FS_TYPE)) {
		*dev = line->dev;
		result = 0;
	}
	free(line);
	return result;
}

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

static int detach(const char *mountpoint, dev_t dev)
{
	char *const argv[] = {"fusermount3", "-u", "-z", "-q", "--", (char *)mountpoint, NULL};
	int status;
	pid_t pid;

	if (geteuid() == 0)
		return umount2(mountpoint, MNT_FORCE | MNT_DETACH) ? -errno : 0;
	abort_connection(dev);
	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ))
		return -ENOENT;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status ? -EPERM : 0;
}

/* Takes away the mount of a daemon whose processes were all killed: it answers only ENOTCONN. */
static int clear_dead(const char *mountpoint)
{
	struct stat st;
	dev_t dev;

	while (!find_ours(mountpoint, &dev)) {
		if (!stat(mountpoint, &st) || errno != ENOTCONN) {
			log_error("%s: pmem2fs is mounted there already", mountpoint);
			return -EBUSY;
		}
		log_info("%s: taking away the dead mount of an earlier daemon", mountpoint);
		if (detach(mountpoint, dev)) {
			log_error("%s: cannot unmount the dead mount", mountpoint);
			return -EBUSY;
		}
	}
	if (stat(mountpoint, &st)) {
		log_error("%s: %s", mountpoint, strerror(errno));
		return -errno;
	}
	if (!S_ISDIR(st.st_mode)) {
		log_error("%s: not a directory", mountpoint);
		return -ENOTDIR;
	}
	return 0;
}

static struct fuse_session *session_new(const char *source)
{
	static const struct fuse_lowlevel_ops none;
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session = NULL;

	if (fuse_opt_add_arg(&args, "pmem2fs") || fuse_opt_add_arg(&args, "-o") ||
	    fuse_opt_add_arg(&args, geteuid() == 0
					    ? "subtype=pmem2fs,allow_other,default_permissions,"
					      "nosuid,nodev,noexec"
					    : "subtype=pmem2fs,default_permissions") ||
	    fuse_opt_add_arg(&args, "-o") || fuse_opt_add_arg(&args, ""))
		goto free_args;
	/* The name is one argument whatever is in it: a comma would begin another option. */
	free(args.argv[4]);
	if (asprintf(&args.argv[4], "fsname=%s", source) < 0) {
		args.argv[4] = NULL;
		goto free_args;
	}
	for (char *c = args.argv[4]; *c; c++)
		if (*c == ',' || *c == '\\')
			*c = '_';
	session = fuse_session_new(&args, &none, sizeof(none), NULL);
free_args:
	fuse_opt_free_args(&args);
	return session;
}

int mount_begin(const char *source, const char *mountpoint, struct mount **mount_ptr)
{
	struct mount *mount;
	int error = clear_dead(mountpoint);

	if (error)
		return error;
	mount = calloc(1, sizeof(*mount));
	if (!mount)
		return -ENOMEM;
	error = -ENOMEM;
	mount->mountpoint = strdup(mountpoint);
	mount->session = session_new(source);
	if (!mount->mountpoint || !mount->session)
		goto free_mount;
	if (fuse_session_mount(mount->session, mountpoint)) {
		error = -EIO; /* libfuse has said more */
		goto free_mount;
	}
	if (find_ours(mountpoint, &mount->dev))
		log_warning("%s: /proc/self/mountinfo does not show the mount", mountpoint);
	*mount_ptr = mount;
	return 0;
free_mount:
	log_error("%s: cannot mount: %s", mountpoint, strerror(-error));
	if (mount->session)
		fuse_session_destroy(mount->session);
	free(mount->mountpoint);
	free(mount);
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
	dev_t now;

	if (dev && !find_ours(mountpoint, &now) && now == dev && detach(mountpoint, dev))
		log_error("%s: cannot unmount", mountpoint);
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
