/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fd.h - descriptors of the library in a program that may close, reuse and write to any
 */
#ifndef PMEM2FS_LIB_BASE_FD_H
#define PMEM2FS_LIB_BASE_FD_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * The file that a descriptor referred to: the program may have closed it since, and opened another
 * file that got the same number.
 */
struct fd_identity {
	dev_t dev;
	ino_t inode;
};

/* False: fstat failed; the descriptor refers to another file by now, or is closed. */
bool fd_identify(int fd, struct fd_identity *identity);
bool fd_is_same(int fd, const struct fd_identity *identity);

/*
 * Replaces `fd` by a descriptor above 2 if it is 0, 1 or 2: a program that has closed these may
 * still write to stderr. Passes a negative `fd` through. Returns a descriptor, or -1 with errno
 * set.
 */
int fd_move_off_standard(int fd);

#endif
