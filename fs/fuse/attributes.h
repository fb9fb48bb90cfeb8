/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attributes.h - the attributes that the kernel is given, and its look-ups
 *
 * A node lives as long as the kernel has looked it up more often than forgotten it.
 */
#ifndef PMEM2FS_FUSE_ATTRIBUTES_H
#define PMEM2FS_FUSE_ATTRIBUTES_H

#include "base/clock.h"
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
 * What an attempt of `caller` to set the attributes in `to_set` (FUSE_SET_ATTR_ bits, without that
 * of the size) returns: 0 or -EPERM. It never changes anything. Mode and times, which a mapping
 * does not have, can be "set", since programs that copy do so after the write that maps. Owner and
 * group decide who may remove the mapping: changing them is -EPERM.
 */
int attributes_check_change(const struct stat *st, const struct stat *wanted, int to_set,
			    uid_t caller);

/* An entry of another process's mapping is cached until so long after its last scan at most. */
#define ATTRIBUTES_SEEN CLOCK_SECOND

/* How the kernel gets an entry: the answer to a LOOKUP, or a part of a list. */
enum entry_use { ENTRY_LOOKED_UP, ENTRY_LISTED };

/*
 * The whole entry of a mapping. Counts a look-up of its node: either `param` reaches the kernel, or
 * attributes_forget takes the look-up back. Returns 0 or -ENOMEM.
 */
int attributes_entry(const struct filesystem *filesystem, struct mapping *mapping,
		     enum entry_use use, uint64_t now, struct fuse_entry_param *param);

/* The kernel forgets `count` look-ups of a node; a node that nobody needs is freed. */
void attributes_forget(const struct filesystem *filesystem, uint64_t id, uint64_t count);

#endif
