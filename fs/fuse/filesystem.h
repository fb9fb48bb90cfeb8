/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filesystem.h - what the handlers of the kernel's requests share
 *
 * Made by worker.c, which owns all that it points to; used by the request loop alone. Includers
 * define FUSE_USE_VERSION.
 */
#ifndef PMEM2FS_FUSE_FILESYSTEM_H
#define PMEM2FS_FUSE_FILESYSTEM_H

#include "fuse/holding.h"
#include "fuse/interrupts.h"
#include "fuse/lookup_ahead.h"
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

/* From the command line. */
struct filesystem_settings {
	unsigned mode;     /* of the files */
	unsigned rootmode; /* of the root directory */
	double timeout;    /* seconds for which the kernel may cache an entry */
	unsigned max;      /* mappings in total */
};

struct filesystem {
	/* Set by worker.c, before the first request. */
	struct filesystem_settings settings;
	const struct mapper *mapper;
	const struct changes *changes;
	struct catalog *catalog;
	struct events *events;
	struct facts_cache *facts_cache;
	struct process_table *process_table;
	struct capacity *capacity;
	struct invalidate *invalidate;
	struct drafts *drafts;
	struct holdings holdings;

	/* Zero at first. */
	struct interrupts interrupts;            /* the requests that wait */
	struct lookup_ahead lookup_ahead;        /* of operations.c alone */
	char *readdir_buffer;                    /* of readdir.c alone */
	size_t readdir_room;                     /* its bytes */
	LIST_HEAD(, open_directory) directories; /* of readdir.c alone */
	bool initialized; /* the kernel has said hello; set by operations.c */
};

static inline struct filesystem *filesystem_of(fuse_req_t req)
{
	return (struct filesystem *)fuse_req_userdata(req);
}

#endif
