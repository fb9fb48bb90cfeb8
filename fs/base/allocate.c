/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * allocate.c - see allocate.h
 */
#include "base/allocate.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

int allocate_blocks(int fd, uint64_t offset, uint64_t length)
{
	uint64_t rest;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENODEV;
	if (offset >= (uint64_t)st.st_size)
		return 0;
	rest = (uint64_t)st.st_size - offset;
	if (length > rest)
		return 0;
	/* Keeps the size: another process may truncate the file meanwhile. */
	return fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)(length ? length : rest))
		       ? -errno
		       : 0;
}
