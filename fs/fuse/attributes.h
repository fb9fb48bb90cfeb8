/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attributes.h - mappings, drafts and the root as the kernel sees them
 */
#ifndef PMEM2FS_FUSE_ATTRIBUTES_H
#define PMEM2FS_FUSE_ATTRIBUTES_H

#include "catalog/catalog.h"
#include "fuse/drafts.h"
#include "fuse/filesystem.h"
#include <stdint.h>
#include <sys/stat.h>

void attributes_root(const struct filesystem *filesystem, struct stat *st);
void attributes_version(const struct filesystem *filesystem, struct version *version,
			struct stat *st);
void attributes_draft(const struct draft *draft, struct stat *st);

/*
 * The whole entry of a mapping. Counts a look-up of it, which the kernel must be told or
 * attributes_forget take back. -ENOMEM.
 */
int attributes_entry(const struct filesystem *filesystem, struct mapping *mapping, uint64_t now,
		     struct fuse_entry_param *param);

/* The kernel forgets `count` look-ups of a node; whatever nobody needs any more goes. */
void attributes_forget(const struct filesystem *filesystem, uint64_t id, uint64_t count);

#endif
