/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source_badblocks.h - the bad ranges of mapped files and nodes, read once for all mappings of one
 *
 * Owns what it has read. Used by one thread at a time.
 */
#ifndef PMEM2FS_HOST_SOURCE_BADBLOCKS_H
#define PMEM2FS_HOST_SOURCE_BADBLOCKS_H

#include "libpmem2fs.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The bad ranges of a source, by its own offsets. */
struct badblock_list {
	bool known; /* they could be read */
	size_t count;
	struct pmem2_badblock *list;
};

struct source_badblocks;

/* NULL when memory runs out. */
struct source_badblocks *source_badblocks_new(void);
void source_badblocks_free(struct source_badblocks *sources);

/* As mapped_files_begin. */
uint64_t source_badblocks_begin(struct source_badblocks *sources, uint64_t oldest);

/* What was read of that file; NULL: nothing. Both lists are owned by `sources`. */
const struct badblock_list *source_badblocks_find(const struct source_badblocks *sources, dev_t dev,
						  uint64_t inode);

/* Reads the bad blocks of a file that is not in the list. NULL when memory runs out. */
const struct badblock_list *source_badblocks_read(struct source_badblocks *sources, dev_t dev,
						  uint64_t inode, int fd);

#endif
