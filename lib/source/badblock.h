/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * badblock.h - the bad blocks of a source
 */
#ifndef PMEM2FS_LIB_SOURCE_BADBLOCK_H
#define PMEM2FS_LIB_SOURCE_BADBLOCK_H

#include "device/badlist.h"
#include "source/source.h"

struct pmem2_badblock_context {
	struct badlist blocks;
	size_t next;
	struct pmem2_source source; /* a copy, for clearing: the program may have deleted its own */
};

/*
 * Lists the current bad blocks of a source that has a descriptor. Errors: as
 * pmem2_badblock_context_new.
 */
int badblock_list(const struct pmem2_source *src, struct badlist *blocks);

#endif
