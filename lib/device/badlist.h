/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * badlist.h - a list of bad bytes, and the kernel's list of the bad sectors of a device
 */
#ifndef PMEM2FS_LIB_DEVICE_BADLIST_H
#define PMEM2FS_LIB_DEVICE_BADLIST_H

#include <stddef.h>
#include <stdint.h>

/* Bytes from `begin` up to, not including, `end`. */
struct bad_range {
	uint64_t begin, end;
};

/* Ascending. A list of zeroes is empty; badlist_free frees the memory of a list. */
struct badlist {
	size_t count;
	struct bad_range *ranges;
};

/*
 * Reads the kernel's list in the device file `path`: the ranges between the bytes `begin` and
 * `end`, relative to `begin`, with adjacent ranges joined. Errors: those of open and read, -ENOMEM.
 */
int badlist_read(const char *path, uint64_t begin, uint64_t end, struct badlist *list);

/* Appends a range. Errors: -ENOMEM. */
int badlist_append(struct badlist *list, uint64_t begin, uint64_t end);

void badlist_free(struct badlist *list);

#endif
