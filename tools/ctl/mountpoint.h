/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mountpoint.h - the files of the daemon's mount
 */
#ifndef PMEM2FS_CTL_MOUNTPOINT_H
#define PMEM2FS_CTL_MOUNTPOINT_H

#include <stddef.h>

/*
 * Asks the daemon where it is mounted and opens that. Returns a descriptor that the caller closes,
 * or -1 after a message.
 */
int mountpoint_open(int connection);

struct buffer {
	char *bytes;
	size_t length, room;
};

/*
 * Reads the whole document of a mapping into `buffer`, whose memory is reused by the next call and
 * freed by the caller in the end. Returns 0 or a negative errno, without a message.
 */
int mountpoint_read(int mountpoint, const char *name, struct buffer *buffer);

#endif
