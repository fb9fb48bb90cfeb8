/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapped_files.h - what is true of a mapped file, found out once for all mappings of it
 *
 * Two mappings share an answer if they are of the same file and the kernel gives the same path for
 * both: which file a path leads to does not depend on who asks. Only where the path does not lead
 * to the file, as that of a removed name, the answer also depends on the mount that the file was
 * mapped from, for which each area is asked.
 *
 * Owns the answers; calls source_path.h, opener.h. Asks no file system that may hang. Used by one
 * thread at a time.
 */
#ifndef PMEM2FS_HOST_MAPPED_FILES_H
#define PMEM2FS_HOST_MAPPED_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* An area of a process that a file is mapped to. All borrowed. */
struct mapped_area {
	pid_t pid;        /* of the process */
	bool foreign;     /* asking the file may hang */
	bool certain;     /* the area was just seen to be of the file `dev`, `inode` */
	const char *link; /* in /proc/PID/map_files; empty: not known */
	const char *path; /* that the kernel gives, see maps_path; NULL: the link has it */
	dev_t dev;        /* of the file as in struct stat, as it was when it was mapped */
	uint64_t inode;
};

struct mapped_file {
	const char *path; /* see source_path.h; NULL: not known. A shared_text.h, borrowed until the
			     next call */
	bool deleted;     /* the name at `path` was removed */
	bool seen;        /* the file of the area was asked, or is at `path`; else no size */
	uint64_t size;    /* bytes */
};

struct mapped_files;

/* NULL when memory runs out. */
struct mapped_files *mapped_files_new(void);
void mapped_files_free(struct mapped_files *files);

/*
 * Begins a row of questions, for which answers serve that were found out at `oldest` (clock_now())
 * or later. Returns when the oldest answer that serves was found out.
 */
uint64_t mapped_files_begin(struct mapped_files *files, uint64_t oldest);

/*
 * The file of an area. Nothing is known of it (all zero) when the area has gone, or is of another
 * file by now.
 */
struct mapped_file mapped_files_find(struct mapped_files *files, const struct mapped_area *area);

/*
 * The same if `area->path`, which may be an older answer, still leads to the file. It need not be
 * the path that the kernel gives for the area. Nothing is known of the file where it does not.
 */
struct mapped_file mapped_files_find_again(struct mapped_files *files,
					   const struct mapped_area *area);

#endif
