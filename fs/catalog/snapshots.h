/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * snapshots.h - the snapshots that are being taken of a catalog, and what they still want of it
 *
 * For catalog.c, which gives them what would be lost; snapshot.h takes them.
 */
#ifndef PMEM2FS_CATALOG_SNAPSHOTS_H
#define PMEM2FS_CATALOG_SNAPSHOTS_H

#include "catalog/document_version.h"
#include "catalog/name_tree.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define SNAPSHOT_NAME_SIZE 256 /* with the NUL */

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
	uint64_t newest;                 /* serial of the newest version of that moment */
	char passed[SNAPSHOT_NAME_SIZE]; /* all names up to this one have been passed */
	struct name_tree gone;           /* those above it whose versions went since; owned */
	bool taking;                     /* it is in the list of the catalog */
	bool failed;                     /* memory ran out */
};

/* Of a catalog; all zero at first. */
struct snapshots {
	LIST_HEAD(, snapshot) list; /* that are being taken */
	uint64_t last_serial;       /* of versions */
};

/* In `gone` of a snapshot. */
struct gone_version {
	struct name_entry entry;
	struct version *version; /* held */
};
struct gone_version *gone_version_of(struct name_entry *entry);
const char *gone_version_name(const struct name_entry *entry); /* for name_tree.h */

/* Whether a snapshot is still to take a version that is current. */
bool snapshots_want(const struct snapshots *snapshots, const struct version *version);

/* A version that is current goes, or is replaced: to be called before. */
void snapshots_keep(struct snapshots *snapshots, struct version *version);

#endif
