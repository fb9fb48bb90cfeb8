/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * badblock.c - the bad blocks of a source
 *
 * Owns struct pmem2_badblock_context, which contains a complete list, made when the context is.
 * Calls device/locate, device/badlist and source.c. sysfs shows all that is needed, so libndctl is
 * not called. badblock_clear.c clears bad blocks.
 */
#include "source/badblock.h"
#include "base/error.h"
#include "device/locate.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* The number of extents per FIEMAP call. */
#define EXTENTS 64

/*
 * Extents without a place on the device, or where the offset in the extent is not that on the
 * device.
 */
#define NOT_PLACED                                                                                 \
	(FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED |                  \
	 FIEMAP_EXTENT_NOT_ALIGNED)

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/*
 * Adds the blocks of one extent, between the offsets `from` and `to` of the file, that contain a
 * bad sector. Adjacent blocks become one range, but not beyond the extent.
 */
static int add_extent(const struct fiemap_extent *extent, const struct badlist *bad, uint64_t block,
		      uint64_t from, uint64_t to, struct badlist *blocks)
{
	uint64_t logical = max(extent->fe_logical, from);
	uint64_t physical = extent->fe_physical + (logical - extent->fe_logical);
	uint64_t length = min(extent->fe_logical + extent->fe_length, to) - logical;
	size_t first = blocks->count;

	for (size_t i = 0; i < bad->count && bad->ranges[i].begin < physical + length; i++) {
		uint64_t begin, end;
		int error;

		if (bad->ranges[i].end <= physical)
			continue;
		begin = logical + max(bad->ranges[i].begin, physical) - physical;
		end = logical + bad->ranges[i].end - physical;
		begin = max(begin / block * block, logical);
		end = min((end + block - 1) / block * block, logical + length);
		if (blocks->count > first && begin <= blocks->ranges[blocks->count - 1].end) {
			blocks->ranges[blocks->count - 1].end = end;
			continue;
		}
		error = badlist_append(blocks, begin, end);
		if (error)
			return error;
	}
	return 0;
}

/* Translates `bad`, in offsets of the file system's device, to blocks of the file. */
static int find_in_file(int fd, const struct stat *st, const struct badlist *bad,
			struct badlist *blocks)
{
	uint64_t block = (uint64_t)st->st_blksize;
	uint64_t size = ((uint64_t)st->st_size + block - 1) / block * block;
	struct fiemap *map;
	uint64_t offset = 0;
	int error = 0;

	/* Zeroed for valgrind, which does not know what FIEMAP writes. */
	map = calloc(1, sizeof(*map) + EXTENTS * sizeof(map->fm_extents[0]));
	if (!map)
		return -ENOMEM;
	while (offset < size && !error) {
		struct fiemap_extent *extent = map->fm_extents;

		*map = (struct fiemap){
			.fm_start = offset,
			.fm_length = size - offset,
			.fm_extent_count = EXTENTS,
		};
		if (ioctl(fd, FS_IOC_FIEMAP, map)) {
			error = -errno;
			break;
		}
		if (!map->fm_mapped_extents)
			break;
		for (uint32_t i = 0; i < map->fm_mapped_extents && !error; i++, extent++) {
			/*
			 * `offset` keeps a part from being listed twice when the file changes
			 * meanwhile.
			 */
			if (!(extent->fe_flags & NOT_PLACED) && extent->fe_logical < size)
				error = add_extent(extent, bad, block, offset, size, blocks);
			offset = extent->fe_logical + extent->fe_length;
			if (extent->fe_flags & FIEMAP_EXTENT_LAST)
				offset = size;
		}
	}
	free(map);
	return error;
}

/* The extents of an XFS realtime file are on a device that cannot be found here. */
static bool on_realtime_device(int fd)
{
	struct fsxattr attributes;

	return !ioctl(fd, FS_IOC_FSGETXATTR, &attributes) &&
	       (attributes.fsx_xflags & FS_XFLAG_REALTIME);
}

static int list_file(int fd, const struct stat *st, struct badlist *blocks)
{
	struct pmem2fs_device device;
	struct badlist bad = {0};
	int error;

	error = device_locate(st->st_dev, true, &device);
	if (error == -ENODEV)
		return 0;
	if (error)
		return error_set(error, "cannot find the device of the file: %s", strerror(-error));
	if (!device.badblocks_path[0])
		return 0;
	if (device.badblocks_start < 0)
		return error_set(PMEM2_E_CANNOT_READ_BOUNDS,
				 "%s: a device mapper hides where its bad blocks are in the file",
				 device.blockdev);
	error = badlist_read(device.badblocks_path, (uint64_t)device.badblocks_start, device.size,
			     &bad);
	if (error)
		return error_set(error, "%s: %s", device.badblocks_path, strerror(-error));
	if (bad.count && on_realtime_device(fd)) {
		error = error_set(PMEM2_E_NOSUPP, "bad blocks of an XFS realtime file");
		goto free_bad;
	}
	if (bad.count) {
		error = find_in_file(fd, st, &bad, blocks);
		if (error)
			error_set(error, "cannot read the extents of the file: %s",
				  strerror(-error));
	}
free_bad:
	badlist_free(&bad);
	return error;
}

static int list_node(dev_t rdev, struct badlist *blocks)
{
	struct pmem2fs_device device;
	uint64_t start;
	int error;

	error = device_locate(rdev, false, &device);
	if (error == -ENODEV)
		return error_set(PMEM2_E_DAX_REGION_NOT_FOUND, "the device-DAX node is gone");
	if (error)
		return error_set(error, "cannot find the device: %s", strerror(-error));
	if (!device.badblocks_path[0])
		return error_set(PMEM2_E_NOSUPP,
				 "%s: the kernel keeps no list of bad blocks of this device",
				 device.chardev);
	if (device.badblocks_start < 0)
		return error_set(PMEM2_E_CANNOT_READ_BOUNDS,
				 "%s: the kernel shows where in %s it lies only with CAP_SYS_ADMIN",
				 device.chardev, device.region);
	start = (uint64_t)device.badblocks_start;
	error = badlist_read(device.badblocks_path, start, start + device.size, blocks);
	if (error)
		return error_set(error, "%s: %s", device.badblocks_path, strerror(-error));
	return 0;
}

int badblock_list(const struct pmem2_source *src, struct badlist *blocks)
{
	struct stat st;
	int error;

	if (fcntl(src->fd, F_GETFD) < 0)
		return error_set(-EBADF, "descriptor %d is not open", src->fd);
	error = source_stat(src, &st);
	if (error)
		return error;
	if (src->type == PMEM2FS_SOURCE_DEVDAX)
		return list_node(st.st_rdev, blocks);
	return list_file(src->fd, &st, blocks);
}

int pmem2_badblock_context_new(struct pmem2_badblock_context **bbctx,
			       const struct pmem2_source *src)
{
	struct pmem2_badblock_context *context;
	int error;

	if (!src)
		return error_set(-EINVAL, "no source given");
	if (src->type == PMEM2FS_SOURCE_ANONYMOUS)
		return error_set(PMEM2_E_NOSUPP, "anonymous memory has no bad blocks");
	if (!bbctx)
		return error_set(-EINVAL, "no place for a context given");
	*bbctx = NULL;
	context = calloc(1, sizeof(*context));
	if (!context)
		return error_set(-ENOMEM, "a context for bad blocks: %s", strerror(ENOMEM));
	context->source = (struct pmem2_source){
		.type = src->type,
		.fd = src->fd,
		.dev = src->dev,
		.rdev = src->rdev,
		.inode = src->inode,
	};
	error = badblock_list(src, &context->blocks);
	if (error) {
		pmem2_badblock_context_delete(&context);
		return error;
	}
	*bbctx = context;
	return 0;
}

int pmem2_badblock_next(struct pmem2_badblock_context *bbctx, struct pmem2_badblock *bb)
{
	const struct bad_range *range;

	if (!bbctx)
		return error_set(-EINVAL, "no context given");
	if (bbctx->next == bbctx->blocks.count)
		return error_set(PMEM2_E_NO_BAD_BLOCK_FOUND, "no further bad block");
	if (!bb)
		return error_set(-EINVAL, "no place for a block given");
	range = &bbctx->blocks.ranges[bbctx->next++];
	*bb = (struct pmem2_badblock){range->begin, range->end - range->begin};
	return 0;
}

void pmem2_badblock_context_delete(struct pmem2_badblock_context **bbctx)
{
	if (!bbctx || !*bbctx)
		return;
	badlist_free(&(*bbctx)->blocks);
	free(*bbctx);
	*bbctx = NULL;
}
