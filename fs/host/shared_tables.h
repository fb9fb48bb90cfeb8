/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shared_tables.h - opening what may be the table of a process
 *
 * A process that passes a descriptor, or has a file mapped, may have put anything behind it: a file
 * system that never answers, a FIFO, a file whose position it holds locked.
 */
#ifndef PMEM2FS_HOST_SHARED_TABLES_H
#define PMEM2FS_HOST_SHARED_TABLES_H

#include "host/proc_maps.h"
#include "libpmem2fs.h"
#include <stdbool.h>
#include <stdint.h>

/* Whether it is a memfd, as all tables are. Touches no file. */
bool tables_is_memfd(int fd);

/*
 * Opens a reader of the table behind a descriptor of any kind, which stays the caller's. *inode is
 * that of the file. Errors: -EINVAL and others of pmem2fs_table_open, those of open.
 */
int tables_open(int fd, struct pmem2fs_table **table, uint64_t *inode);

/* The same of the file of an area. Also -EPERM, -EACCES, -ENOENT. */
int tables_open_area(const struct maps *maps, const struct maps_area *area,
		     struct pmem2fs_table **table);

#endif
