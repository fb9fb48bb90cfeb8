/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source.h - what is mapped: a file, a device-DAX node, anonymous memory
 *
 * A source borrows its descriptor and never duplicates or closes it.
 */
#ifndef PMEM2FS_LIB_SOURCE_SOURCE_H
#define PMEM2FS_LIB_SOURCE_SOURCE_H

#include "libpmem2fs.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct pmem2_source {
	enum pmem2fs_source_type type;
	int fd;           /* -1: anonymous */
	size_t anon_size; /* bytes, anonymous only */
	dev_t dev;        /* of the file system of the file or node */
	dev_t rdev;       /* of the device-DAX node, else 0 */
	ino_t inode;
	size_t page; /* bytes; the unit in which it is mapped */
	/*
	 * Found out by mapping, the first also by statx. Relaxed order suffices: every thread finds
	 * the same values.
	 */
	_Atomic bool sync_refused;                /* the kernel does not grant MAP_SYNC */
	_Atomic signed char cpu_cache_persistent; /* -1 not looked up yet, else 0 or 1 (eADR) */
};

/* Access to the members found out by mapping: for the caller the source stays unchanged. */
static inline struct pmem2_source *source_cache(const struct pmem2_source *src)
{
	return (struct pmem2_source *)src;
}

/*
 * fstat of a source that has a descriptor. Errors: PMEM2_E_INVALID_FILE_HANDLE (the descriptor is
 * closed or refers to another file).
 */
int source_stat(const struct pmem2_source *src, struct stat *st);

#endif
