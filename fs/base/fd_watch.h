/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fd_watch.h - a descriptor that the request loop waits for
 *
 * A watch is part of its owner's struct, is the data of the epoll event, and stays as long as the
 * descriptor is in the epoll set.
 */
#ifndef PMEM2FS_BASE_FD_WATCH_H
#define PMEM2FS_BASE_FD_WATCH_H

#include <stdint.h>

struct watch {
	int fd;
	void (*ready)(struct watch *watch, uint32_t events); /* EPOLL bits */
};

#endif
