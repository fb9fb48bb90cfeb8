/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source_path_helper.h - asks for the path of a mapped file
 *
 * Without root the links in map_files cannot be followed: then only paths are tested.
 */
#ifndef PMEM2FS_TEST_SOURCE_PATH_HELPER_H
#define PMEM2FS_TEST_SOURCE_PATH_HELPER_H

#include "host/source_path.h"
#include "mapped_file_helper.h"

static bool shut_down; /* fails as on an XFS that has shut down */

/* Asks as mapped_files.c does. NULL: there is no path. */
static inline char *find_of(pid_t pid, bool *deleted)
{
	const unsigned mask = STATX_INO | STATX_NLINK | STATX_MNT_ID;
	struct source_mounts *mounts = calloc(1, sizeof(*mounts));
	struct statx st, at_path;
	char link[PROC_MAP_FILE_SIZE], *path, *asked;
	struct source_file file = {
		.link = link,
		.dev = makedev(mapped.stx_dev_major, mapped.stx_dev_minor),
		.inode = mapped.stx_ino,
	};

	proc_map_file(link, pid, (uintptr_t)memory, (uintptr_t)memory + LENGTH);
	if (!statx(AT_FDCWD, link, AT_STATX_DONT_SYNC, mask, &st)) {
		assert_int_equal(st.stx_ino, file.inode);
		file.mount = st.stx_mnt_id;
		file.unlinked = !st.stx_nlink;
	}
	path = source_path_find(mounts, &file, &asked, deleted, &at_path);
	if (path)
		assert_int_equal(strncmp(asked, path, strlen(path)), 0);
	free(asked);
	if (path && !*deleted)
		assert_int_equal(at_path.stx_size, shut_down ? 0 : LENGTH);
	free(mounts);
	return path;
}

static inline void expect_of(pid_t pid, const char *wanted, bool deleted)
{
	bool is_deleted;
	char *path = find_of(pid, &is_deleted);

	if (!wanted)
		assert_null(path);
	else if (!path)
		fail_msg("no path instead of %s", wanted);
	else
		assert_string_equal(path, wanted);
	assert_int_equal(is_deleted, deleted);
	free(path);
}

static inline void expect_path(const char *wanted)
{
	expect_of(getpid(), wanted, false);
}

static inline void expect_none(void)
{
	expect_of(getpid(), NULL, false);
}

/* A name is removed; without root that cannot be found out. */
static inline void expect_removed(const char *wanted)
{
	bool found_out = geteuid() == 0;

	expect_of(getpid(), found_out ? wanted : NULL, found_out);
}

#endif
