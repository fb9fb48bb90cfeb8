/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * file.h - descriptors of ours in a program that may close, reuse and write to any
 */
#ifndef PMEM2FS_FILE_H
#define PMEM2FS_FILE_H

#include <stdbool.h>
#include <sys/types.h>

/* Which file a descriptor was of: its number may be that of another one by now. */
struct file_identity {
	dev_t dev;
	ino_t inode;
};

bool file_identify(int fd, struct file_identity *identity);
bool file_is_same(int fd, const struct file_identity *identity);

/*
 * A descriptor in place of `fd` (which may be negative) whose number is none of 0 to 2, for a
 * program that has closed these still writes to stderr. Negative and errno if there is none.
 */
int file_keep_off_standard(int fd);

#endif
