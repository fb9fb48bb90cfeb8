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
#include "catalog/document_version.h"
#include "catalog/name_tree.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct snapshot {
	/* Set by the owner. Whether a version is to be taken; NULL: all are. */
	bool (*wanted)(void *arg, const struct version *version);
	void *arg;

	/* The result: in the order of the names, each held. */
	struct version **versions;
	size_t count;
	uint64_t removed; /* catalog_removed() at that moment */

	/* Of snapshot.c: */
	LIST_ENTRY(snapshot) others;
	uint64_t newest;                  /* serial of the newest version of that moment */
	char passed[NAME_LENGTH_MAX + 1]; /* all names up to this one have been passed */
	struct name_tree gone;            /* those above it whose versions went since; owned */
	bool taking;                      /* it is in the list of the catalog */
	bool failed;                      /* memory ran out */
};

/* Of a catalog; all zero at first. */
struct snapshots {
	LIST_HEAD(, snapshot) list; /* that are being taken */
	uint64_t last_serial;       /* of versions */
};

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

/* Whether a snapshot is still to take a version that is current. */
bool snapshots_want(const struct snapshots *snapshots, const struct version *version);

/* A version that is current goes, or is replaced: to be called before. */
void snapshots_keep(struct snapshots *snapshots, struct version *version);

#endif
