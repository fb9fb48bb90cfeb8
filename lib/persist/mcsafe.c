/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mcsafe.c - reading and writing a source that may have bad blocks
 *
 * Owns the mapping of a piece while it is copied. Calls source/, device/ and guarded_copy.c. For a
 * file the kernel does the work: it knows the bad sectors and survives unknown ones. A device-DAX
 * node can only be mapped: sectors known to be bad are not accessed, since not every processor
 * survives that; the others are copied by guarded_copy.c, one piece of the node at a time.
 */
#include "base/error.h"
#include "device/badlist.h"
#include "device/devdax.h"
#include "device/locate.h"
#include "persist/cpu.h"
#include "persist/flush.h"
#include "persist/guarded_copy.h"
#include "source/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * The size of a piece. A thread that waits for a copy cannot be interrupted, so that it should be
 * short.
 */
#define PIECE ((size_t)64 << 20)

/* A request: `size` bytes between `buffer` and the source from `offset` on. */
struct transfer {
	const struct pmem2_source *src;
	char *buffer;
	size_t size, offset;
	bool write;
};

static int out_of_range(const struct transfer *transfer, size_t size)
{
	return error_set(PMEM2_E_LENGTH_OUT_OF_RANGE, "%zu bytes at offset %zu of a source of %zu",
			 transfer->size, transfer->offset, size);
}

/* Returns the errors that pread and pwrite return before they transfer anything. */
static int check_file(const struct transfer *transfer)
{
	int fd = transfer->src->fd;
	int flags = fcntl(fd, F_GETFL);

	if (transfer->offset > INT64_MAX)
		return error_set(-EINVAL, "offset %zu is beyond any file", transfer->offset);
	if (flags < 0 || flags & O_PATH)
		return error_set(-EBADF, "descriptor %d is open neither for reading nor writing",
				 fd);
	if ((flags & O_ACCMODE) == (transfer->write ? O_RDONLY : O_WRONLY))
		return error_set(-EBADF, "descriptor %d is not open for %s", fd,
				 transfer->write ? "writing" : "reading");
	/* With O_APPEND Linux ignores the offset of a write. */
	if (transfer->write && flags & O_APPEND)
		return error_set(-EINVAL, "descriptor %d can only append", fd);
	return 0;
}

static int check_transfer(const struct transfer *transfer)
{
	size_t size = 0;
	int error;

	if (!transfer->src)
		return error_set(-EINVAL, "no source given");
	if (transfer->src->type == PMEM2FS_SOURCE_ANONYMOUS)
		return error_set(PMEM2_E_SOURCE_TYPE_NOT_SUPPORTED,
				 "anonymous memory has no contents of its own");
	error = pmem2_source_size(transfer->src, &size);
	if (error)
		return error;
	/* An offset beyond the end is checked last, as in libpmem2. */
	if (transfer->size > size - transfer->offset)
		return out_of_range(transfer, size);
	error = transfer->src->type == PMEM2FS_SOURCE_DEVDAX ? 0 : check_file(transfer);
	if (error)
		return error;
	return transfer->offset > size ? out_of_range(transfer, size) : 0;
}

static int transfer_failed(const struct transfer *transfer, size_t done, int error)
{
	const char *verb = transfer->write ? "write" : "read";

	return error_set(error == EIO ? PMEM2_E_IO_FAIL : -error, "%s at offset %zu: %s", verb,
			 transfer->offset + done, strerror(error));
}

static int transfer_file(const struct transfer *transfer)
{
	int fd = transfer->src->fd;
	size_t done = 0;

	while (done < transfer->size) {
		/*
		 * NULL is passed on: the kernel reports an error only if there is something to
		 * copy.
		 */
		char *buffer = transfer->buffer ? transfer->buffer + done : NULL;
		off_t offset = (off_t)(transfer->offset + done);
		size_t size = transfer->size - done;
		ssize_t n = transfer->write ? pwrite(fd, buffer, size, offset)
					    : pread(fd, buffer, size, offset);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0)
			return error_set(PMEM2_E_LENGTH_OUT_OF_RANGE,
					 "the file ends at offset %zu by now",
					 transfer->offset + done);
		else if (errno != EINTR)
			return transfer_failed(transfer, done, errno);
	}
	return 0;
}

/* A list that does not exist, or that this user may not read, is not an error. */
static int check_known_bad(const struct transfer *transfer)
{
	struct pmem2fs_device device;
	struct badlist bad = {0};
	uint64_t begin;
	int error = 0;

	if (device_locate(transfer->src->rdev, false, &device) || !device.badblocks_path[0] ||
	    device.badblocks_start < 0)
		return 0;
	begin = (uint64_t)device.badblocks_start + transfer->offset;
	if (badlist_read(device.badblocks_path, begin, begin + transfer->size, &bad))
		return 0;
	if (bad.count)
		error = error_set(PMEM2_E_IO_FAIL, "%s: bad block at offset %zu", device.chardev,
				  transfer->offset + (size_t)bad.ranges[0].begin);
	badlist_free(&bad);
	return error;
}

static int transfer_piece(const struct transfer *transfer, size_t done, size_t size,
			  size_t alignment)
{
	/* Stores of the copy are in the caches until their lines are flushed. */
	pmem2_persist_fn persist = flush_persist_fn(PMEM2_GRANULARITY_CACHE_LINE);
	int protection = transfer->write ? PROT_READ | PROT_WRITE : PROT_READ;
	size_t offset = transfer->offset + done;
	size_t skipped = offset % alignment;
	size_t length = (skipped + size + alignment - 1) / alignment * alignment;
	char *buffer = transfer->buffer + done;
	char *piece;
	int error;

	if (transfer->write && cpu_choice()->flush == FLUSH_NONE)
		return error_set(PMEM2_E_NOSUPP,
				 "this processor cannot flush its caches from user space");
	piece = mmap(NULL, length, protection, MAP_SHARED, transfer->src->fd,
		     (off_t)(offset - skipped));
	if (piece == MAP_FAILED)
		return error_set(errno == EACCES ? PMEM2_E_NO_ACCESS : -errno,
				 "cannot map %zu bytes at offset %zu: %s", length, offset - skipped,
				 strerror(errno));
	if (transfer->write)
		error = guarded_copy(piece + skipped, buffer, size, persist);
	else
		error = guarded_copy(buffer, piece + skipped, size, NULL);
	munmap(piece, length);
	return error;
}

static int transfer_node(const struct transfer *transfer)
{
	size_t alignment = 0;
	size_t done = 0;
	int error;

	error = devdax_alignment(transfer->src->rdev, &alignment);
	if (!error)
		error = devdax_check(transfer->src->rdev);
	if (!error)
		error = check_known_bad(transfer);
	while (!error && done < transfer->size) {
		size_t left = transfer->size - done;
		size_t size = left < PIECE ? left : PIECE;

		error = transfer_piece(transfer, done, size, alignment);
		done += size;
	}
	return error;
}

static int transfer_all(const struct transfer *transfer)
{
	int error = check_transfer(transfer);

	if (error)
		return error;
	if (transfer->src->type == PMEM2FS_SOURCE_DEVDAX)
		return transfer_node(transfer);
	return transfer_file(transfer);
}

int pmem2_source_pread_mcsafe(struct pmem2_source *src, void *buf, size_t size, size_t offset)
{
	return transfer_all(&(struct transfer){src, buf, size, offset, false});
}

int pmem2_source_pwrite_mcsafe(struct pmem2_source *src, void *buf, size_t size, size_t offset)
{
	return transfer_all(&(struct transfer){src, buf, size, offset, true});
}
