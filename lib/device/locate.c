/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * locate.c - which pmem disk or DAX node a device number belongs to
 *
 * Owns nothing. Calls base/attribute, base/error and devdax.c. Follows sysfs from the number
 * through partitions and device mappers to the device itself, its NVDIMM region and its list of bad
 * sectors. Reads sysfs only, so that it can be called before each use of the bad blocks.
 */
#include "device/locate.h"
#include "base/attribute.h"
#include "base/error.h"
#include "device/devdax.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SECTOR       512
#define REGIONS_PATH "/sys/bus/nd/devices"

/* More layers of device mappers than anybody builds. */
#define STACK_MAX 16

static int join_path(char path[PATH_MAX], const char *dir, const char *name)
{
	return snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static void number_path(char path[64], dev_t dev, bool block)
{
	snprintf(path, 64, "/sys/dev/%s/%u:%u", block ? "block" : "char", major(dev), minor(dev));
}

/* Sizes are decimal, addresses hexadecimal. */
static int read_number(const char *dir, const char *name, uint64_t *number)
{
	char path[PATH_MAX];
	int error = join_path(path, dir, name);

	return error ? error : attribute_read_number(path, 0, number);
}

/* Whether the last name in the target of the link `name` in `dir` matches `pattern`. */
static bool link_matches(const char *dir, const char *name, const char *pattern)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	ssize_t length;

	if (join_path(path, dir, name))
		return false;
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return false;
	target[length] = '\0';
	slash = strrchr(target, '/');
	return !fnmatch(pattern, slash ? slash + 1 : target, 0);
}

/* Copies the last name of `path`. No name of a pmem or dax device is as long as 32 bytes. */
static int copy_last(char name[32], const char *path)
{
	return snprintf(name, 32, "%s", strrchr(path, '/') + 1) < 32 ? 0 : -ENODEV;
}

/*
 * Shortens `path` to the NVDIMM region above it. CXL has regions as well, which are not on the nd
 * bus.
 */
static bool cut_to_region(char *path)
{
	char *slash;

	while ((slash = strrchr(path, '/')) != NULL && slash != path) {
		if (!strncmp(slash + 1, "region", 6) && link_matches(path, "subsystem", "nd"))
			return true;
		*slash = '\0';
	}
	return false;
}

/* Replaces `path` by the only device below it. False: there is none, or more than one. */
static bool step_down(char path[PATH_MAX])
{
	char slaves[PATH_MAX], slave[PATH_MAX];
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	if (join_path(slaves, path, "slaves"))
		return false;
	dir = opendir(slaves);
	if (!dir)
		return false;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && !join_path(slave, slaves, entry->d_name))
			count++;
	closedir(dir);
	return count == 1 && realpath(slave, path) != NULL;
}

static int locate_disk(char path[PATH_MAX], struct pmem2fs_device *device)
{
	uint64_t number, start = 0, sectors = 0;
	bool stacked = false;
	int error;

	for (int depth = 0; depth < STACK_MAX; depth++) {
		if (!read_number(path, "partition", &number)) {
			error = read_number(path, "start", &start);
			if (error)
				return error;
			*strrchr(path, '/') = '\0';
		} else if (step_down(path)) {
			stacked = true;
		} else {
			break;
		}
	}
	if (!link_matches(path, "device/subsystem", "nd"))
		return -ENODEV;
	error = copy_last(device->blockdev, path);
	if (!error)
		error = read_number(path, "size", &sectors);
	if (error)
		return error;
	device->size = sectors * SECTOR;

	/* A btt relocates sectors, so that no list of the medium applies to its disk. */
	if (!link_matches(path, "device", "btt*")) {
		snprintf(device->badblocks_path, sizeof(device->badblocks_path),
			 "/sys/block/%s/badblocks", device->blockdev);
		device->badblocks_start = stacked ? PMEM2FS_UNKNOWN : (int64_t)(start * SECTOR);
	}
	if (cut_to_region(path))
		return copy_last(device->region, path);
	return 0;
}

static int locate_node(char path[PATH_MAX], struct pmem2fs_device *device)
{
	uint64_t node_start = 0, region_start = 0, numa_node = 0;
	int error;

	if (!link_matches(path, "subsystem", "dax"))
		return -ENODEV;
	error = copy_last(device->chardev, path);
	if (!error)
		error = read_number(path, "size", &device->size);
	if (error)
		return error;
	/* The file holds -1 where there is no node, which is not read as a number. */
	if (!read_number(path, "numa_node", &numa_node))
		device->numa_node = (int64_t)numa_node;
	/* The kernel shows addresses to CAP_SYS_ADMIN only: to others as an error or as 0. */
	if (read_number(path, "resource", &node_start))
		node_start = 0;
	if (!cut_to_region(path))
		return 0;
	if (read_number(path, "resource", &region_start))
		region_start = 0;
	error = copy_last(device->region, path);
	if (error)
		return error;
	snprintf(device->badblocks_path, sizeof(device->badblocks_path),
		 REGIONS_PATH "/%s/badblocks", device->region);
	device->badblocks_start = region_start && node_start >= region_start
					  ? (int64_t)(node_start - region_start)
					  : PMEM2FS_UNKNOWN;
	return 0;
}

int device_locate(dev_t dev, bool block, struct pmem2fs_device *device)
{
	struct pmem2fs_device found = {
		.numa_node = PMEM2FS_INAPPLICABLE,
		.target_node = PMEM2FS_INAPPLICABLE,
		.unsafe_shutdowns = PMEM2FS_INAPPLICABLE,
		.badblocks_start = PMEM2FS_INAPPLICABLE,
	};
	char path[PATH_MAX], number[64];
	int error;

	error = pmem2fs_device_identity(dev, block, &found.sysfs_inode);
	if (error)
		return error;
	number_path(number, dev, block);
	if (!realpath(number, path))
		return errno == ENOENT ? -ENODEV : -errno;
	error = block ? locate_disk(path, &found) : locate_node(path, &found);
	if (error)
		return error == -ENOENT ? -ENODEV : error;
	*device = found;
	return 0;
}

int pmem2fs_device_identity(dev_t dev, bool block, uint64_t *sysfs_inode)
{
	char path[64];
	struct stat st;

	if (!sysfs_inode)
		return error_set(-EINVAL, "no place for the identity given");
	number_path(path, dev, block);
	if (stat(path, &st)) {
		int error = errno == ENOENT ? -ENODEV : -errno;

		return error_set(error, "%s: %s", path, strerror(-error));
	}
	if (!block && devdax_is(dev)) {
		int error = devdax_check(dev);

		if (error)
			return error;
	}
	*sysfs_inode = st.st_ino;
	return 0;
}
