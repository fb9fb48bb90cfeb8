/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dax.h - which areas of processes are of files with DAX and of device-DAX nodes
 *
 * Asks as little as possible, since every process has areas: for most of them the number of the
 * file system is enough. Touches files of file systems only that answer out of their own memory;
 * FUSE, network and unknown ones never. So DAX without a block device (virtiofs) is not seen. Used
 * by the thread of the scanner.
 */
#ifndef PMEM2FS_HOST_DAX_H
#define PMEM2FS_HOST_DAX_H

#include "host/proc_maps.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The file of an area, as stat has it. */
struct dax_file {
	uint8_t type; /* PMEM2FS_SOURCE_FILE, FSDAX or DEVDAX */
	dev_t dev, rdev;
	uint64_t inode;
	uint64_t size;      /* 0: not known */
	uint32_t alignment; /* bytes */
};

struct dax;

/* NULL when memory runs out. */
struct dax *dax_new(void);
void dax_free(struct dax *dax);

/*
 * Forgets what was found out before, which may have changed. Files that had DAX are kept apart, for
 * the case that they can no longer be asked.
 */
void dax_forget(struct dax *dax);

/*
 * Forgets the files that are kept apart. Called at the end of a scan that had to meet all of them
 * again, before dax_forget, which then keeps those that it met.
 */
void dax_forget_kept(struct dax *dax);

/*
 * The file or node with DAX that an area of `maps` is of. NULL: it has no DAX, or that cannot be
 * found out. Valid until the next call.
 */
const struct dax_file *dax_find(struct dax *dax, const struct maps *maps,
				const struct maps_area *area);

/* Whether the area may be of a file with DAX, without asking the file. */
bool dax_possible(struct dax *dax, const struct maps *maps, const struct maps_area *area);

/*
 * Whether stat of the area's file gives these numbers, which on a stacked or subdivided file system
 * are not those of the area.
 */
bool dax_is_file(struct dax *dax, const struct maps *maps, const struct maps_area *area, dev_t dev,
		 uint64_t inode);

/* Whether something could not be found out since dax_forget, for lack of memory or descriptors. */
bool dax_left_out(const struct dax *dax);

/* The number of the file system that has the kernel's own files: memfds, tables, shared memory. */
dev_t dax_shmem(const struct dax *dax);

#endif
