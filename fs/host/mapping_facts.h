/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping_facts.h - what is known of a mapping besides its record in the table
 *
 * A process_info and a device are shared by many versions of documents, do not change after they
 * are made, and are freed with the last reference. References may be taken and dropped in any
 * thread.
 */
#ifndef PMEM2FS_HOST_MAPPING_FACTS_H
#define PMEM2FS_HOST_MAPPING_FACTS_H

#include "base/extents.h"
#include "libpmem2fs.h"
#include "protocol/document.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process_info {
	_Atomic unsigned references;
	uint64_t ticks; /* since boot at its start: identifies it together with the pid. 0: not
			   known */
	struct document_process is;
};

struct device {
	_Atomic unsigned references;
	struct pmem2fs_device is;
};

/* A process of which nothing else is known yet. NULL when memory runs out. */
struct process_info *process_info_new(int pid, const char *comm);

/* All four accept NULL. The functions that take a reference return their argument. */
struct process_info *process_info_get(struct process_info *owner);
void process_info_put(struct process_info *owner);
struct device *device_get(struct device *device);
void device_put(struct device *device);

/* What the kernel says of one mapping and its source at one moment. */
struct facts {
	const char *path; /* shared_text.h; the source's, see source_path.h; NULL: not known */
	uint64_t size;    /* of the source, bytes */
	struct process_info *owner;
	struct device *device;            /* NULL: none below it */
	struct pmem2_badblock *badblocks; /* within what is mapped, relative to the mapping */
	struct extents *extents;          /* NULL: the whole is still mapped */
	uint32_t badblock_count;
	uint32_t device_badblocks; /* bad ranges of the whole device */
	bool deleted;              /* the name at `path` was removed */
	bool size_known, badblocks_known;
	bool lost;    /* the device is gone; `device` has what was read before that */
	bool pending; /* not all facts were read in time: they may be out of date */
};

/* Frees and drops what the facts hold. */
void facts_clear(struct facts *facts);

#endif
