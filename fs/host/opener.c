/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * opener.c - see opener.h
 */
#include "host/opener.h"
#include "base/allocate.h"
#include "host/dax_node.h"
#include "mount/mountinfo.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* File systems that wait for somebody, or whose files do things when they are opened. */
static const char *const refused_types[] = {
	"fuse",     "fuseblk",  "virtiofs",  "nfs",         "nfs4",       "cifs",      "smb3",
	"smbfs",    "9p",       "ceph",      "afs",         "coda",       "lustre",    "gpfs",
	"beegfs",   "orangefs", "glusterfs", "autofs",      "proc",       "sysfs",     "debugfs",
	"tracefs",  "cgroup",   "cgroup2",   "configfs",    "securityfs", "pstore",    "bpf",
	"efivarfs", "mqueue",   "fusectl",   "binfmt_misc", "nsfs",       "selinuxfs", "resctrl",
};

/*
 * File systems on top of another one that nobody can see from here. In our own mount namespace only
 * root can have put them on something that hangs; in another one anybody can.
 */
static bool is_stacked(const char *type)
{
	return !strcmp(type, "overlay") || !strcmp(type, "ecryptfs") || !strcmp(type, "aufs");
}

static bool is_refused(const char *type)
{
	if (!strncmp(type, "fuse.", 5))
		return true;
	for (size_t i = 0; i < sizeof(refused_types) / sizeof(*refused_types); i++)
		if (!strcmp(type, refused_types[i]))
			return true;
	return false;
}

/* `peer` has a file on the mount open. */
static int check_mount(int id, pid_t peer, char *why)
{
	bool foreign = false;
	struct mount_line *line = malloc(sizeof(*line));
	int result;

	if (!line)
		return -ENOMEM;
	result = id < 0 ? id : mountinfo_by_id(0, id, line);
	if (result == -ENOENT && peer) {
		result = mountinfo_by_id(peer, id, line);
		foreign = true;
	}
	if (result) {
		snprintf(why, OPENER_WHY_LENGTH, "%s",
			 result == -ENOENT ? "is on no mounted file system" : strerror(-result));
		result = result == -ENOENT ? -EOPNOTSUPP : result;
		goto free_line;
	}
	if (is_refused(line->type) || (foreign && is_stacked(line->type)))
		result = -EOPNOTSUPP;
	if (result)
		snprintf(why, OPENER_WHY_LENGTH,
			 "is on a file system of type %s, which cannot be mapped from", line->type);
free_line:
	free(line);
	return result;
}

bool opener_is_safe(int mount, pid_t peer)
{
	char why[OPENER_WHY_LENGTH];

	return !check_mount(mount, peer, why);
}

struct way {
	const char *path;
	bool safe;
};

static void check_way(void *arg, const struct mount_line *line)
{
	struct way *way = arg;
	size_t length = strlen(line->target);

	if (length > 1 && !strncmp(way->path, line->target, length) &&
	    (way->path[length] == '/' || !way->path[length]) && is_refused(line->type))
		way->safe = false;
}

bool opener_way_is_safe(const char *path)
{
	struct way way = {.path = path, .safe = true};

	return !mountinfo_each(0, check_way, &way) && way.safe;
}

static int check_type(int fd, char *why)
{
	struct stat st;

	if (fstat(fd, &st)) {
		snprintf(why, OPENER_WHY_LENGTH, "%s", strerror(errno));
		return -errno;
	}
	if (S_ISREG(st.st_mode) || (S_ISCHR(st.st_mode) && dax_node_is(st.st_rdev)))
		return 0;
	snprintf(why, OPENER_WHY_LENGTH, "is %s, neither a regular file nor a device-DAX node",
		 S_ISDIR(st.st_mode)    ? "a directory"
		 : S_ISCHR(st.st_mode)  ? "a character device"
		 : S_ISBLK(st.st_mode)  ? "a block device"
		 : S_ISFIFO(st.st_mode) ? "a FIFO"
					: "a special file");
	return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
}

int opener_check(int fd, pid_t peer, char *why)
{
	int flags = fcntl(fd, F_GETFL), error;

	if (flags < 0 || flags & O_PATH) {
		snprintf(why, OPENER_WHY_LENGTH, "the descriptor is not open for reading");
		return -EBADF;
	}
	error = check_mount(mountinfo_id_of(fd), peer, why);
	return error ? error : check_type(fd, why);
}

char *opener_path(int fd)
{
	char link[64], target[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, target, sizeof(target) - 1);
	return n > 0 ? strndup(target, (size_t)n) : NULL;
}

/*
 * Magic links (/proc/PID/fd and the like) would lead to what the daemon has open, past the
 * permissions of the folders on the way.
 */
static int open_place(const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

int opener_open(const struct identity *identity, const char *path, bool write, char *why)
{
	char again[64];
	int place, fd;

	if (identity->refused) {
		snprintf(why, OPENER_WHY_LENGTH, "%s", identity->refused);
		return -EACCES;
	}
	fd = identity_assume(identity);
	if (fd) {
		snprintf(why, OPENER_WHY_LENGTH, "cannot act for the caller: %s", strerror(-fd));
		return fd;
	}
	place = open_place(path);
	if (place < 0) {
		fd = place;
		snprintf(why, OPENER_WHY_LENGTH, "%s", strerror(-place));
		goto drop;
	}
	fd = check_mount(mountinfo_id_of(place), 0, why);
	if (!fd)
		fd = check_type(place, why);
	if (fd)
		goto close_place;
	/* The very file that was checked, whatever its name leads to by now. */
	snprintf(again, sizeof(again), "/proc/self/fd/%d", place);
	fd = open(again, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		fd = -errno;
		snprintf(why, OPENER_WHY_LENGTH, "%s", strerror(errno));
	}
close_place:
	close(place);
drop:
	identity_drop();
	return fd;
}

/*
 * Whether blocks of the file are memory: it would be charged to the control group of the process
 * that allocates it, here the daemon's.
 */
static bool takes_memory(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) || fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC ||
	       fs.f_type == HUGETLBFS_MAGIC;
}

int opener_allocate(const struct identity *identity, int fd, uint64_t offset, uint64_t length,
		    char *why)
{
	struct stat st;
	int error;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		snprintf(why, OPENER_WHY_LENGTH,
			 "is a device: only blocks of files can be allocated");
		return -EINVAL;
	}
	if (geteuid() == 0 && identity->uid != 0 && takes_memory(fd)) {
		snprintf(why, OPENER_WHY_LENGTH,
			 "is in memory, which its user allocates (pmem2ctl map --allocate)");
		return -EPERM;
	}
	error = identity_assume(identity);
	if (!error) {
		error = allocate_blocks(fd, offset, length);
		identity_drop();
	}
	if (error)
		snprintf(why, OPENER_WHY_LENGTH, "cannot allocate: %s", strerror(-error));
	return error;
}
