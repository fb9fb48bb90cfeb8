/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * proc_maps.h - the memory areas of a process, from /proc/PID/maps
 *
 * The kernel writes the whole list for each reading, so one reading serves many queries. Owned by
 * the caller; used in any thread.
 */
#ifndef PMEM2FS_HOST_PROC_MAPS_H
#define PMEM2FS_HOST_PROC_MAPS_H

#include "base/extents.h"
#include "libpmem2fs.h"
#include <stdbool.h>
#include <sys/types.h>

/* The beginning of the name of an area's file. Any user can give a file such a name. */
enum maps_name {
	MAPS_OTHER,
	MAPS_TABLE, /* as the library's tables */
	MAPS_ZERO,  /* as shared memory without a file */
};

struct maps_area {
	uint64_t begin, end; /* addresses */
	uint64_t offset;     /* bytes into the file */
	uint64_t inode;      /* 0: no file */
	dev_t dev;           /* as the kernel shows it, see proc_maps.c */
	uint8_t protection;  /* as a record's */
	bool shared;
	uint8_t name;  /* enum maps_name */
	uint32_t path; /* for maps_path */
};

struct maps {
	pid_t task; /* whose folder in /proc has them: a thread where the first one has ended */
	size_t count;
	struct maps_area *list; /* by address; no two overlap */
	size_t text_length;     /* bytes of the kernel's list: what it costs to read it */
	size_t paths_length;
	char *paths; /* NULL: not kept */
};

/*
 * Returns 0 or a negative errno. What it read is released with maps_clear. A process without memory
 * of its own (a kernel thread, or one that has ended) has no areas.
 */
int maps_read(struct maps *maps, pid_t pid);
void maps_clear(struct maps *maps);

/*
 * The same, and keeps the paths of the files as the kernel gives them (source_path.h). Areas that
 * follow each other and have the same path share it.
 */
int maps_read_with_paths(struct maps *maps, pid_t pid);

/*
 * The path of an area's file, valid as long as the areas. NULL: it has none, it was not kept, it
 * may have a newline, or there are too many or too long paths: then the link in map_files has it.
 */
const char *maps_path(const struct maps *maps, const struct maps_area *area);

/*
 * What is still there of the mapping of a record: the parts of its addresses that are areas of its
 * source. *extents, owned by the caller, is NULL if that is the whole; *first (NULL: none) is the
 * area that has the first part. Returns 0 or -ENOMEM.
 */
int maps_find(const struct maps *maps, const struct pmem2fs_record *record,
	      struct extents **extents, const struct maps_area **first);

/*
 * The same, with another judgement of whether an area is of the record's source: 1, 0, or a
 * negative errno that ends the search. It is called for areas at the mapping's addresses only;
 * `start` is where in the file of the area the mapping would begin.
 */
typedef int (*maps_judge)(void *arg, const struct maps_area *area, uint64_t start,
			  const struct pmem2fs_record *record);
int maps_find_if(const struct maps *maps, const struct pmem2fs_record *record, maps_judge judge,
		 void *arg, struct extents **extents, const struct maps_area **first);

#endif
