/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attribute.h - reading and writing the small files of /proc and /sys
 *
 * No function sets an error message.
 */
#ifndef PMEM2FS_LIB_BASE_ATTRIBUTE_H
#define PMEM2FS_LIB_BASE_ATTRIBUTE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Reads the first size - 1 bytes of a file into `text` and ends them with a NUL. A relative path of
 * attribute_read_at begins at the folder `folder`. Returns the number of bytes or a negative errno.
 */
ssize_t attribute_read(const char *path, char *text, size_t size);
ssize_t attribute_read_at(int folder, const char *path, char *text, size_t size);

/*
 * Reads a file that consists of one line with one number, in a base as that of strtoull. Returns 0
 * or a negative errno; -EINVAL: the file contains something else, or a number that is too large.
 */
int attribute_read_number(const char *path, int base, uint64_t *number);

/* Writes a text to a file in one piece. Returns 0 or a negative errno. */
int attribute_write(const char *path, const char *text);

#endif
