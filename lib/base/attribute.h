/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attribute.h - reading the small files of /proc and /sys
 */
#ifndef PMEM2FS_LIB_BASE_ATTRIBUTE_H
#define PMEM2FS_LIB_BASE_ATTRIBUTE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Reads what the file begins with into `text`, of `size` bytes, and ends it with a NUL. Returns
 * how many bytes were read or a negative errno, without a message.
 */
ssize_t attribute_read(const char *path, char *text, size_t size);

#endif
