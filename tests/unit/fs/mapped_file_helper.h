/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapped_file_helper.h - a file that this process has mapped, on a file system of the test's
 *
 * Files are mapped from a tmpfs in a mount namespace of the program. Without root nothing can be
 * mounted.
 */
#ifndef PMEM2FS_TEST_MAPPED_FILE_HELPER_H
#define PMEM2FS_TEST_MAPPED_FILE_HELPER_H

#include "host/proc.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LENGTH 4096u
#define NAMES  16

static char folder[] = "/tmp/mapped-file-XXXXXX";
static unsigned char *memory = MAP_FAILED;
static struct statx mapped; /* the file when it was mapped */

/* The path of a name in the folder; valid for 16 more calls. */
static inline const char *at(const char *name)
{
	static char paths[NAMES][512];
	static unsigned used;
	char *path = paths[used++ % NAMES];

	snprintf(path, sizeof(*paths), "%s/%s", folder, name);
	return path;
}

static inline void new_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, LENGTH), 0);
	close(fd);
}

static inline void map_descriptor(int fd)
{
	assert_true(fd >= 0);
	assert_int_equal(statx(fd, "", AT_EMPTY_PATH, STATX_INO, &mapped), 0);
	memory = mmap(NULL, LENGTH, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(memory != MAP_FAILED);
	close(fd);
}

static inline void map(const char *path)
{
	map_descriptor(open(path, O_RDONLY | O_CLOEXEC));
}

static inline void map_new(const char *path)
{
	new_file(path);
	map(path);
}

static inline int begin(void **state)
{
	(void)state;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	return geteuid() ? 0 : mount("test", folder, "tmpfs", 0, NULL);
}

static inline int end(void **state)
{
	char command[64];

	(void)state;
	if (memory != MAP_FAILED)
		munmap(memory, LENGTH);
	memory = MAP_FAILED;
	if (!geteuid())
		umount2(folder, MNT_DETACH);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

/* False: this machine cannot run the test. */
static inline bool own_mounts(void)
{
	return geteuid() ||
	       (!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

#endif
