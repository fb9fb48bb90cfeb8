/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * maps.h - the memory areas of a process, as /proc/PID/maps tells them
 *
 * The kernel writes the whole list each time it is asked, so one reading is to serve many
 * questions.
 */
#ifndef PMEM2FS_MAPS_H
#define PMEM2FS_MAPS_H

#include "extents.h"
#include "libpmem2fs.h"
#include <sys/types.h>

struct maps_area {
	uint64_t begin, end; /* addresses */
	uint64_t offset;     /* bytes into the file */
	uint64_t inode;      /* 0: no file */
	dev_t dev;           /* as the kernel shows it, see maps.c */
};

struct maps {
	size_t count;
	struct maps_area *list; /* by address */
};

/* Returns 0 or a negative errno. What it read is released with maps_clear. */
int maps_read(struct maps *maps, pid_t pid);
void maps_clear(struct maps *maps);

/*
 * What is still there of the mapping that a record tells: the parts of its addresses that are
 * areas of its source. *extents is NULL where that is the whole; *first (NULL: none) is the area
 * where the first one is. -ENOMEM.
 */
int maps_find(const struct maps *maps, const struct pmem2fs_record *record,
	      struct extents **extents, const struct maps_area **first);

#endif
