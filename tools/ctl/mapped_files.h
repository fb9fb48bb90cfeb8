/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapped_files.h - the files that a process maps
 */
#ifndef PMEM2FS_CTL_MAPPED_FILES_H
#define PMEM2FS_CTL_MAPPED_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A line of /proc/PID/maps about a file. */
struct mapped_file {
	unsigned long begin, end;
	const char *path; /* as in maps, with its escapes */
	dev_t dev;        /* of the file system, which may differ from that of stat */
	uint64_t inode;
};

/* Returns whether to go on. */
typedef bool mapped_files_take(void *context, const struct mapped_file *file);

/*
 * Hands over the mapped files of a process; consecutive areas of one file count as one. `thread` is
 * the opened folder of one of its threads in /proc. Returns the number of areas, with and without a
 * file, or a negative errno.
 */
ssize_t mapped_files_read(int thread, mapped_files_take *take, void *context);

#endif
