/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document.h - the metadata document of one mapping
 *
 * A pure function of its input: the same facts always give the same bytes, so that the text of a
 * document need not be kept: it is made again when it is read again. Owns nothing.
 */
#ifndef PMEM2FS_PROTOCOL_DOCUMENT_H
#define PMEM2FS_PROTOCOL_DOCUMENT_H

#include "base/extents.h"
#include "base/text_buffer.h"
#include "libpmem2fs.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * How a mapping is known. An observed one lacks what only the process that maps can report: its
 * granularity (except on device DAX, where the platform decides it), the granularity that was
 * required, when it was made, and for a file whether MAP_SYNC is in force.
 */
enum origin {
	ORIGIN_PMEM2FS,   /* made through the file system: the keeper's */
	ORIGIN_PUBLISHED, /* in the table of a process, and there according to the kernel */
	ORIGIN_OBSERVED,  /* seen in /proc */
};

/* The process that has the mapping: the "owner" of the document. A string is NULL where /proc did
 * not give it. */
struct document_process {
	int pid;
	char *comm, *exe, *cgroup;
	uint64_t started; /* CLOCK_REALTIME, ns; 0: /proc did not give it */
};

struct document {
	const char *name;              /* terminated; any bytes but '/' */
	const char *state;             /* "active", ... */
	const struct extents *extents; /* what is still mapped; NULL: the whole */
	bool pending;                  /* facts are still being found */
	enum origin origin;
	const struct pmem2fs_record *record;
	const struct document_process *owner;
	const char *path; /* of the source as the kernel names it; NULL: it did not */
	bool deleted;
	bool size_known;                        /* else null */
	uint64_t size;                          /* of the source now, bytes */
	const struct pmem2fs_device *device;    /* NULL: not on a pmem or dax device */
	bool badblocks_known;                   /* else badblock_count and badblocks are null */
	size_t device_badblock_count;           /* bad ranges of the whole device */
	const struct pmem2_badblock *badblocks; /* within what is mapped, relative to the mapping */
	size_t badblock_count;
};

/*
 * The document as text, ending in a newline; *length bytes, not counting the NUL after it. The
 * caller frees it. NULL: out of memory.
 */
char *document_render(const struct document *document, size_t *length);

/* The same at the end of `out`, but the document is in one line, and without the NUL. */
void document_render_line(const struct document *document, struct text_buffer *out);

/* What the keys of these names hold; a granularity of NULL is null. */
const char *document_granularity(const struct document *document);
const char *document_origin(const struct document *document);
const char *document_source_type(const struct document *document);

/* 1, 0, or -1: null. */
int document_map_sync(const struct document *document);

/* The number under "dev": that of a device-DAX node is its own. */
dev_t document_dev(const struct document *document);

#endif
