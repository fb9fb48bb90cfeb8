/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * snapshot.h - the versions of one moment, taken in portions
 *
 * A million mappings take longer than the loop may work at a time. So a snapshot passes through the
 * names in portions, and the catalog, before a version that is still to be taken goes or is
 * replaced, gives it to the snapshot. Used by the request loop alone.
 */
#ifndef PMEM2FS_CATALOG_SNAPSHOT_H
#define PMEM2FS_CATALOG_SNAPSHOT_H

#include "catalog/catalog.h"
#include "catalog/snapshots.h"
#include <stdint.h>

/* This moment. Returns 0 or -ENOMEM, then there is nothing to clear. */
int snapshot_begin(struct snapshot *snapshot, struct catalog *catalog);

/*
 * Takes versions until that time (clock_now()), some at least. Returns 0: it has them all;
 * -EAGAIN: it is to be called again; or -ENOMEM.
 */
int snapshot_work(struct snapshot *snapshot, struct catalog *catalog, uint64_t until);

/*
 * Gives up what is left to take, and the array, but releases none of the versions in it. Has no
 * effect on a snapshot that is all zero.
 */
void snapshot_clear(struct snapshot *snapshot, struct catalog *catalog);

#endif
