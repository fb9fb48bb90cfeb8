/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source_path.c - see source_path.h
 *
 * A mapping keeps its file and each folder on the file's path in the kernel's memory. So a look-up
 * of the right path succeeds from memory alone (RESOLVE_CACHED) and cannot hang, whatever is
 * mounted on the way. If not all of a path is in memory, it is looked up on the file systems, but
 * only if no mount on the way can hang. Symbolic links are not followed: the kernel's paths have
 * none.
 */
#include "host/source_path.h"
#include "host/opener.h"
#include "host/proc.h"
#include "mount/mountinfo.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TRIES 3 /* the file may be renamed between two steps */

/* Asks once for a folder, since many mapped files may be in it. */
static bool way_is_safe(struct source_mounts *mounts, const char *path)
{
	size_t length = (size_t)(strrchr(path, '/') - path);

	if (length >= sizeof(mounts->folder))
		return false;
	if (!length || strncmp(mounts->folder, path, length) || mounts->folder[length]) {
		memcpy(mounts->folder, path, length);
		mounts->folder[length] = '\0';
		mounts->folder_safe = opener_way_is_safe(mounts->folder);
	}
	return mounts->folder_safe;
}

/* Opens (O_PATH) what is at an absolute path. Returns the descriptor or a negative errno. */
static int open_on_safe_way(struct source_mounts *mounts, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, /* triggers no automount */
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_CACHED,
	};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	if (fd >= 0)
		return fd;
	if (errno != EAGAIN &&
	    errno != EINVAL) /* EINVAL: a kernel before 5.12, which does not know RESOLVE_CACHED */
		return -errno;
	if (!way_is_safe(mounts, path))
		return -EAGAIN;
	how.resolve = RESOLVE_NO_SYMLINKS;
	fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

/* Whether the error shows that the kernel's path leads to nothing here. */
static bool is_nowhere(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP || error == -ENAMETOOLONG;
}

/*
 * Does not hang: the file systems for which a look-up from memory succeeds answer this from memory,
 * too.
 */
static bool statx_from_memory(int fd, struct statx *answer)
{
	return fd >= 0 && !statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
				 STATX_INO | STATX_SIZE | STATX_MNT_ID, answer);
}

static bool is_of(const struct source_file *file, const struct statx *answer)
{
	return answer->stx_ino == file->inode &&
	       makedev(answer->stx_dev_major, answer->stx_dev_minor) == file->dev;
}

/* Compares file handles: XFS answers no statx once it has shut down, but still gives handles. */
static bool has_handle_of(const struct source_file *file, int fd)
{
	union {
		struct file_handle is;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} handle = {.is.handle_bytes = MAX_HANDLE_SZ}, files = handle;
	int mount, files_mount;

	return !name_to_handle_at(fd, "", &handle.is, &mount, AT_EMPTY_PATH) &&
	       !name_to_handle_at(AT_FDCWD, file->link, &files.is, &files_mount,
				  AT_SYMLINK_FOLLOW) &&
	       mount == files_mount && handle.is.handle_type == files.is.handle_type &&
	       handle.is.handle_bytes == files.is.handle_bytes &&
	       !memcmp(handle.is.f_handle, files.is.f_handle, handle.is.handle_bytes);
}

bool source_path_leads(struct source_mounts *mounts, const struct source_file *file,
		       const char *path, struct statx *at_path)
{
	int fd = open_on_safe_way(mounts, path);
	bool leads;

	*at_path = (struct statx){0};
	if (fd < 0)
		return false;
	if (statx_from_memory(fd, at_path))
		leads = is_of(file, at_path);
	else
		leads = errno == EIO && has_handle_of(file, fd);
	close(fd);
	return leads;
}

/* Whether the kernel's paths of files on that mount begin at the root directory of this process. */
static bool mount_is_reached(struct source_mounts *mounts, uint64_t mount)
{
	struct mount_line *line;

	if (mounts->mount == mount)
		return mounts->mount_reached;
	line = malloc(sizeof(*line));
	if (!line)
		return false;
	mounts->mount = mount;
	mounts->mount_reached = !mountinfo_by_id(0, (int)mount, line);
	free(line);
	return mounts->mount_reached;
}

/*
 * Whether the path is certainly no name of the file. That is so if what is at the path, or else the
 * last existing folder on the way, is on the file's mount, where nothing is mounted over a name,
 * and is not the file.
 */
static bool is_no_name(struct source_mounts *mounts, const char *path,
		       const struct source_file *file)
{
	char *place = strdup(path), *slash;
	int fd = place ? open_on_safe_way(mounts, place) : -ENOMEM;
	struct statx there;
	bool no_name;

	while (is_nowhere(fd) && place[1]) {
		slash = strrchr(place, '/');
		slash[slash == place] = '\0';
		fd = open_on_safe_way(mounts, place);
	}
	free(place);
	no_name = statx_from_memory(fd, &there) && there.stx_mask & STATX_MNT_ID &&
		  there.stx_mnt_id == file->mount && !is_of(file, &there);
	if (fd >= 0)
		close(fd);
	return no_name;
}

/* Whether the file was made without a name (O_TMPFILE): the kernel calls it "#INODE". */
static bool never_was_a_name(const char *path, uint64_t inode)
{
	char name[32];

	snprintf(name, sizeof(name), "/#%lu", inode);
	return !strcmp(strrchr(path, '/'), name);
}

/* The length without the mark " (deleted)" by which the kernel marks a removed name; 0: no mark. */
static size_t unmarked(const char *path)
{
	static const char mark[] = " (deleted)";
	size_t length = strlen(path), rest = sizeof(mark) - 1;

	return length > rest && !strcmp(path + length - rest, mark) ? length - rest : 0;
}

/*
 * To be called when the kernel's path does not lead to the file. Cuts off what looks like the mark,
 * and sets *deleted if it is the mark and not a part of the name. Returns false if the path is not
 * to be shown.
 */
static bool find_unmarked(struct source_mounts *mounts, const struct source_file *file, char *path,
			  bool *deleted, struct statx *at_path)
{
	size_t length = unmarked(path);
	bool marked;

	if (!length)
		return false;
	marked = file->mount && mount_is_reached(mounts, file->mount) &&
		 (file->unlinked || is_no_name(mounts, path, file));
	path[length] = '\0';
	if (source_path_leads(mounts, file, path, at_path)) /* the file was given that name again */
		return true;
	*deleted = marked && !never_was_a_name(path, file->inode);
	return *deleted;
}

/*
 * Whether the kernel's path leads to the file, or the path that is left when the mark is cut off
 * leads to it or was its name. *moved: the file has another path by now, so try again.
 */
static bool check_path(struct source_mounts *mounts, const struct source_file *file, char *path,
		       bool *deleted, struct statx *at_path, bool *moved)
{
	char *again;

	*moved = false;
	if (source_path_leads(mounts, file, path, at_path))
		return true;
	again = proc_link(file->link);
	*moved = !again || strcmp(again, path) != 0;
	free(again);
	return !*moved && find_unmarked(mounts, file, path, deleted, at_path);
}

char *source_path_find(struct source_mounts *mounts, const struct source_file *file, char **asked,
		       bool *deleted, struct statx *at_path)
{
	bool moved = true, found = false;
	char *path = NULL;

	*asked = NULL;
	*deleted = false;
	*at_path = (struct statx){0};
	for (int i = 0; i < TRIES && moved; i++) {
		free(path);
		free(*asked);
		*asked = NULL;
		path = file->link[0] ? proc_link(file->link) : NULL;
		if (!path || path[0] != '/')
			break;
		*asked = strdup(path);
		found = check_path(mounts, file, path, deleted, at_path, &moved);
	}
	if (moved) { /* there is no path, or it moves all the time */
		free(*asked);
		*asked = NULL;
	}
	if (found)
		return path;
	free(path);
	return NULL;
}
