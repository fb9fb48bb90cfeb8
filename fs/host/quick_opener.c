/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * quick_opener.c - see quick_opener.h
 *
 * A path is looked up in the kernel's memory alone (RESOLVE_CACHED), which takes no lock of a
 * folder and asks no file system. The descriptor of that place keeps its mount, so that its number
 * cannot be given to another one before it is compared with those that are known. Only then is the
 * file itself touched, by its descriptor. fs/SECURITY.md says of each call why it cannot wait.
 */
#include "host/quick_opener.h"
#include "host/dax_disk.h"
#include "host/ima.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MOUNTS_MAX 16

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

struct quick_opener {
	int table;       /* of mounts, which is never read: poll tells of changes */
	uint64_t mounts; /* see quick_opener_mounts */
	unsigned count, next;
	int known[MOUNTS_MAX];
};

struct quick_opener *quick_opener_new(void)
{
	struct quick_opener *opener = calloc(1, sizeof(*opener));

	if (!opener)
		return NULL;
	opener->table = -1;
	if (!ima_reads_files(IMA_COMMAND_LINE, IMA_COUNT))
		opener->table = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	return opener;
}

void quick_opener_free(struct quick_opener *opener)
{
	if (opener && opener->table >= 0)
		close(opener->table);
	free(opener);
}

uint64_t quick_opener_mounts(struct quick_opener *opener)
{
	struct pollfd changed = {.fd = opener->table, .events = POLLPRI};

	if (poll(&changed, 1, 0)) {
		opener->mounts++;
		opener->count = opener->next = 0;
	}
	return opener->mounts;
}

static bool is_known(const struct quick_opener *opener, int mount)
{
	for (unsigned i = 0; i < opener->count; i++)
		if (opener->known[i] == mount)
			return true;
	return false;
}

void quick_opener_learn(struct quick_opener *opener, int mount, uint64_t mounts)
{
	if (opener->table < 0 || quick_opener_mounts(opener) != mounts || is_known(opener, mount))
		return;
	opener->known[opener->next] = mount;
	opener->next = (opener->next + 1) % MOUNTS_MAX;
	if (opener->count < MOUNTS_MAX)
		opener->count++;
}

/* The number of the mount, made of what is in memory: there is no room for a handle. Or -1. */
static int mount_of(int fd)
{
	struct file_handle handle = {.handle_bytes = 0};
	int mount = -1;

	if (!name_to_handle_at(fd, "", &handle, &mount, AT_EMPTY_PATH) || errno == EOVERFLOW)
		return mount;
	return -1;
}

int quick_opener_find_mount(int fd)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(fd, &fs) || fstat(fd, &st))
		return -1;
	if (fs.f_type == TMPFS_MAGIC)
		return mount_of(fd);
	if (fs.f_type != EXT4_SUPER_MAGIC && fs.f_type != XFS_SUPER_MAGIC)
		return -1;
	return dax_disk_is(st.st_dev) == 1 ? mount_of(fd) : -1;
}

/* Symbolic links could make the walk long. Magic links are refused as in opener.c. */
static int open_place(const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_CACHED | RESOLVE_NO_SYMLINKS,
	};

	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

/*
 * Whether the file behind the place can be opened at once. Its owner may have access without its
 * access control list, which the kernel might have to read first.
 */
static bool is_quick(struct quick_opener *opener, int place, const struct identity *identity)
{
	int mount = mount_of(place);
	struct stat st;

	quick_opener_mounts(opener); /* after the place is open */
	return mount >= 0 && is_known(opener, mount) && !fstat(place, &st) && S_ISREG(st.st_mode) &&
	       st.st_uid == identity->uid;
}

int quick_opener_open(struct quick_opener *opener, const struct identity *identity,
		      const char *path, bool write, int *place)
{
	bool other = !identity_is_own(identity);
	char again[64];
	int fd = -1;

	*place = -1;
	if (!opener->count || identity->refused || (other && identity_assume(identity)))
		return -1;
	*place = open_place(path);
	if (*place >= 0 && is_quick(opener, *place, identity)) {
		snprintf(again, sizeof(again), "/proc/self/fd/%d", *place);
		fd = open(again, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	}
	if (other)
		identity_drop();
	if (fd >= 0) { /* and keeps the file */
		close(*place);
		*place = -1;
	}
	return fd;
}
