/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source.h - the file to map
 */
#ifndef PMEM2FS_CTL_SOURCE_H
#define PMEM2FS_CTL_SOURCE_H

#include <stdbool.h>

/*
 * Opens a regular file or a device-DAX node; anything else is refused without being opened.
 * Returns a descriptor that the caller closes, or -1 after a message.
 */
int source_open(const char *path, bool writable);

#endif
