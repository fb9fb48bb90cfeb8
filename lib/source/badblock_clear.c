/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * badblock_clear.c - replacing and repairing bad blocks
 *
 * Owns nothing. Calls badblock.c for the list, device/locate, device/nvdimm and libndctl.
 *
 * The file system replaces the bad blocks of a file by other ones; a device-DAX node has no others,
 * so that its firmware has to repair them. Clearing destroys the contents: nothing that is not bad
 * at this moment is changed. Whether it succeeded is decided by the kernel's list, whatever the
 * calls returned.
 */
#include "base/error.h"
#include "device/locate.h"
#include "device/nvdimm.h"
#include "source/badblock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/ndctl.h>
#include <ndctl/libndctl.h>
#include <string.h>
#include <unistd.h>

/* Counts the bytes of a range that are bad now. */
static int count_bad(const struct pmem2_source *src, const struct pmem2_badblock *bb, size_t *bytes)
{
	uint64_t from = bb->offset, to = from + bb->length, sum = 0;
	struct badlist bad = {0};
	int error;

	error = badblock_list(src, &bad);
	if (error)
		return error;
	for (size_t i = 0; i < bad.count; i++) {
		uint64_t begin = bad.ranges[i].begin > from ? bad.ranges[i].begin : from;
		uint64_t end = bad.ranges[i].end < to ? bad.ranges[i].end : to;

		if (begin < end)
			sum += end - begin;
	}
	badlist_free(&bad);
	*bytes = (size_t)sum;
	return 0;
}

/*
 * Returns the errors that fallocate would, which may not be called before it is known what is bad.
 */
static int check_allocation(int fd, const struct pmem2_badblock *bb)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || flags & O_PATH)
		return error_set(-EBADF, "descriptor %d is not open", fd);
	if (!bb->length)
		return error_set(-EINVAL, "a bad block without a length");
	if ((flags & O_ACCMODE) == O_RDONLY)
		return error_set(-EBADF, "descriptor %d is open for reading only", fd);
	if (bb->length > INT64_MAX - bb->offset)
		return error_set(-EFBIG, "%zu bytes at offset %zu are beyond any file", bb->length,
				 bb->offset);
	return 0;
}

static int allocate(int fd, int mode, const struct pmem2_badblock *bb)
{
	while (fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)bb->offset, (off_t)bb->length))
		if (errno != EINTR)
			return error_set(-errno, "cannot %s %zu bytes at offset %zu: %s",
					 mode & FALLOC_FL_PUNCH_HOLE ? "free" : "allocate",
					 bb->length, bb->offset, strerror(errno));
	return 0;
}

/* Failures appear in the kernel's list. */
static void write_zeroes(int fd, const struct pmem2_badblock *bb)
{
	static const char zeroes[4096];
	uint64_t at = bb->offset, end = at + bb->length;
	struct stat st;

	/* With O_APPEND Linux ignores the offset of a write. */
	if (fcntl(fd, F_GETFL) & O_APPEND || fstat(fd, &st))
		return;
	/* Blocks allocated behind the end of the file stay behind it. */
	if (end > (uint64_t)st.st_size)
		end = (uint64_t)st.st_size;
	while (at < end) {
		size_t length = end - at < sizeof(zeroes) ? (size_t)(end - at) : sizeof(zeroes);
		ssize_t n = pwrite(fd, zeroes, length, (off_t)at);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0)
			at += (uint64_t)n;
	}
	fdatasync(fd);
}

static int clear_file(const struct pmem2_source *src, const struct pmem2_badblock *bb)
{
	size_t bytes = 0;
	int error;

	error = allocate(src->fd, FALLOC_FL_PUNCH_HOLE, bb);
	if (!error)
		error = allocate(src->fd, 0, bb);
	if (!error)
		error = count_bad(src, bb, &bytes);
	/*
	 * A full file system allocated the same blocks again. Writing makes the device repair them,
	 * if it can.
	 */
	if (!error && bytes)
		write_zeroes(src->fd, bb);
	return error;
}

/* Makes the firmware repair memory at a physical address. */
static int clear_memory(struct ndctl_bus *bus, uint64_t address, uint64_t length)
{
	struct ndctl_cmd *capability, *clear = NULL;
	const char *provider = ndctl_bus_get_provider(bus);
	int error;

	if (!ndctl_bus_is_cmd_supported(bus, ND_CMD_ARS_CAP) ||
	    !ndctl_bus_is_cmd_supported(bus, ND_CMD_CLEAR_ERROR))
		return error_set(PMEM2_E_NOSUPP, "the firmware (%s) has no command to clear errors",
				 provider);
	capability = ndctl_bus_cmd_new_ars_cap(bus, address, length);
	if (!capability)
		return error_set(-ENOMEM, "out of memory for a command");
	error = ndctl_cmd_submit(capability);
	if (error < 0) {
		error_set(error, "%s: cannot ask how to clear errors: %s", provider,
			  strerror(-error));
		goto unref;
	}
	/* NULL: no memory, or the firmware cannot clear a range of this size and alignment. */
	clear = ndctl_bus_cmd_new_clear_error(address, length, capability);
	if (!clear) {
		error = error_set(-EINVAL, "%s cannot clear %llu bytes", provider,
				  (unsigned long long)length);
		goto unref;
	}
	error = ndctl_cmd_submit(clear);
	if (error < 0)
		error_set(error, "%s: cannot clear errors: %s", provider, strerror(-error));
	else if (ndctl_cmd_clear_error_get_cleared(clear) != length)
		error = error_set(-ENXIO, "%s cleared %llu of %llu bytes", provider,
				  ndctl_cmd_clear_error_get_cleared(clear),
				  (unsigned long long)length);
	else
		error = 0;
unref:
	if (clear)
		ndctl_cmd_unref(clear);
	ndctl_cmd_unref(capability);
	return error;
}

static int clear_node(const struct pmem2_source *src, const struct pmem2_badblock *bb)
{
	struct pmem2fs_device device;
	struct ndctl_region *region;
	struct ndctl_ctx *ctx;
	uint64_t start;
	int error;

	/* Reading its list has just found the device, with its place in the region. */
	error = device_locate(src->rdev, false, &device);
	if (error)
		return error_set(error, "cannot find the device: %s", strerror(-error));
	error = nvdimm_open(&ctx);
	if (error)
		return error;
	region = nvdimm_find_region(ctx, device.region);
	start = region ? ndctl_region_get_resource(region) : 0;
	if (!start || start == UINT64_MAX || device.badblocks_start < 0)
		error = error_set(PMEM2_E_CANNOT_READ_BOUNDS, "%s: its address is not known",
				  device.chardev);
	else
		error = clear_memory(ndctl_region_get_bus(region),
				     start + (uint64_t)device.badblocks_start + bb->offset,
				     bb->length);
	ndctl_unref(ctx);
	return error;
}

int pmem2_badblock_clear(struct pmem2_badblock_context *bbctx, const struct pmem2_badblock *bb)
{
	const struct pmem2_source *src;
	size_t bytes = 0;
	int error;

	if (!bbctx || !bb)
		return error_set(-EINVAL, "no %s given", bbctx ? "block" : "context");
	if (bb->offset > INT64_MAX)
		return error_set(PMEM2_E_OFFSET_OUT_OF_RANGE, "offset %zu", bb->offset);
	if (bb->length > INT64_MAX)
		return error_set(PMEM2_E_LENGTH_OUT_OF_RANGE, "length %zu", bb->length);
	src = &bbctx->source;
	if (src->type != PMEM2FS_SOURCE_DEVDAX)
		error = check_allocation(src->fd, bb);
	else
		error = bb->length ? 0 : error_set(-EINVAL, "a bad block without a length");
	if (error)
		return error;
	error = count_bad(src, bb, &bytes);
	if (error)
		return error;
	if (bytes != bb->length)
		return error_set(PMEM2_E_NO_BAD_BLOCK_FOUND,
				 "%zu of %zu bytes at offset %zu are good and stay as they are",
				 bb->length - bytes, bb->length, bb->offset);

	error = src->type == PMEM2FS_SOURCE_DEVDAX ? clear_node(src, bb) : clear_file(src, bb);
	if (!error)
		error = count_bad(src, bb, &bytes);
	if (error)
		return error;
	if (bytes)
		return error_set(PMEM2_E_IO_FAIL, "%zu of %zu bytes at offset %zu are still bad",
				 bytes, bb->length, bb->offset);
	return 0;
}
