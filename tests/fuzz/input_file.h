/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * input_file.h - the input as a file, for code that reads one
 */
#ifndef PMEM2FS_TESTS_INPUT_FILE_H
#define PMEM2FS_TESTS_INPUT_FILE_H

#include "fuzz.h"
#include <sys/mman.h>
#include <unistd.h>

/* A new file with these bytes, open at its start. */
static inline int input_file(const void *bytes, size_t size)
{
	int fd = memfd_create("input", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	REQUIRE(fd >= 0 && pwrite(fd, bytes, size, 0) == (ssize_t)size);
	return fd;
}

#endif
