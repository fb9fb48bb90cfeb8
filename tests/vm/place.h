/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place.h - a folder on real pmem whose files get bad blocks
 */
#ifndef PMEM2FS_VM_PLACE_H
#define PMEM2FS_VM_PLACE_H

#include "libpmem2fs.h"

#define BLOCK 4096

/* A folder on pmem, and the disk below its file system. */
struct place {
	int folder;
	struct pmem2fs_device device;
	uint64_t start; /* of the partition, in sectors; 0 without one */
	dev_t dev;
};

/* Opens the folder that PMEM2FS_TEST_FSDAX names; without it the test is skipped. */
void open_place(struct place *place);

/* Makes a file of zeroes, of which the first `allocated` bytes have blocks. */
int make_file(const struct place *place, const char *name, off_t allocated, off_t size);

void write_zeroes(int fd, off_t offset, off_t size);

/* The disk's sector where a block of the file begins. */
uint64_t sector_of(const struct place *place, int fd, int block);

/* Makes the kernel list sectors of the disk as bad. */
void make_bad(const struct place *place, uint64_t sector, unsigned int count);

/* Asserts that the bad blocks of `fd` are these `count` pairs of offset and length. */
void assert_bad(int fd, size_t count, const size_t (*expected)[2]);

#endif
