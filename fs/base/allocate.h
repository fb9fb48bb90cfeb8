/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * allocate.h - blocks for the holes of a file
 *
 * Mapping a file allocates no blocks. A store to a hole does, and raises SIGBUS when the file
 * system is full.
 */
#ifndef PMEM2FS_BASE_ALLOCATE_H
#define PMEM2FS_BASE_ALLOCATE_H

#include <stdint.h>

/*
 * Allocates blocks for the holes in a range of a regular file that is open for writing; length 0:
 * up to the end of the file. Contents and size stay as they are. For a range that ends beyond the
 * file, which cannot be mapped either, it does nothing. May take long. Returns 0 or a negative
 * errno (-ENODEV: not a regular file); after an error a part of the blocks may have been allocated.
 */
int allocate_blocks(int fd, uint64_t offset, uint64_t length);

#endif
