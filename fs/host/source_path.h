/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source_path.h - finds a path that leads to a mapped file
 *
 * The path that the kernel gives for a mapped file is not enough. The mark " (deleted)" behind a
 * removed name may also be the end of a name. If the file's mount cannot be reached from here, the
 * path begins at the root of that mount or of another mount namespace. And another file may be at
 * the path by now. So a path is used only if it leads to the mapped file from the root directory of
 * this process.
 *
 * Asks no file system that may hang: see source_path.c. Owned by the caller; used by one thread at
 * a time.
 */
#ifndef PMEM2FS_HOST_SOURCE_PATH_H
#define PMEM2FS_HOST_SOURCE_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* A mapped file. */
struct source_file {
	const char *link; /* the area's link in /proc/PID/map_files; empty: not known */
	dev_t dev;        /* as in struct stat */
	uint64_t inode;
	uint64_t mount; /* id of the mount that it was opened on, 0: not known */
	bool unlinked;  /* it has no name left */
};

/*
 * What was found out about mounts, kept for several files. All zero at first, and again when it is
 * to be forgotten.
 */
struct source_mounts {
	char folder[PATH_MAX];
	bool folder_safe; /* no mount on the way to that folder can hang */
	uint64_t mount;
	bool mount_reached; /* `mount` is below the root directory of this process */
};

/*
 * Whether an absolute path leads to the file. False also if that cannot be found out. *at_path is
 * what statx says of what is at the path, empty if that fails.
 */
bool source_path_leads(struct source_mounts *mounts, const struct source_file *file,
		       const char *path, struct statx *at_path);

/*
 * Returns the path, to be freed; NULL if there is none or it cannot be found out. If *deleted
 * becomes true, the path is the name that the file was mapped by and that was removed since:
 * nothing is there now, or another file. Otherwise *at_path is what statx says of the file at the
 * path, empty if that fails. *asked, to be freed, is the kernel's path that the answer is for;
 * NULL: the kernel gives none, or it changed meanwhile.
 */
char *source_path_find(struct source_mounts *mounts, const struct source_file *file, char **asked,
		       bool *deleted, struct statx *at_path);

#endif
