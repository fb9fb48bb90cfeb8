/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * catalog.h - which mapping has which name, and the versions of its document
 *
 * Knows nothing of FUSE, sockets or the keeper, and decides nothing about rights. Used by the
 * request loop alone.
 *
 * Owns the mappings (mapping.h). Each mapping has one current version, which holds all that its
 * document says and never changes; facts that differ make a new version. A version is freed when it
 * is no longer current, nobody holds it and the kernel has forgotten it (nodes.h): a reader that
 * has it open can go on reading.
 */
#ifndef PMEM2FS_CATALOG_CATALOG_H
#define PMEM2FS_CATALOG_CATALOG_H

#include "catalog/document_version.h"
#include "catalog/leftovers.h"
#include "catalog/mapping.h"
#include "catalog/totals.h"
#include "libpmem2fs.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define CATALOG_ROOT    1  /* inode number and node id of the root directory */
#define CATALOG_FIRST   16 /* lowest number of a mapping; cookies of . and .. are below */
#define NAME_LENGTH_MAX 255

struct catalog;
struct snapshots;

/* Numbers begin above `base`. NULL when memory runs out. */
struct catalog *catalog_new(uint64_t base);
void catalog_free(struct catalog *catalog);
struct nodes *catalog_nodes(struct catalog *catalog);
struct leftovers *catalog_leftovers(struct catalog *catalog);

/* The mapping that is shown under this name, or NULL. */
struct mapping *catalog_find(const struct catalog *catalog, const char *name);
struct mapping *catalog_find_number(const struct catalog *catalog, uint64_t number);

/*
 * Reserves a name for a mapping of that user that is being made. It is not shown, and no other
 * mapping can take it. Returns 0, -EEXIST (shown or taken) or -ENOMEM.
 */
int catalog_reserve(struct catalog *catalog, const char *name, uid_t uid, struct mapping **mapping);

/*
 * Shows a reserved mapping, as the mapping in that slot. `path` (may be NULL) is the path that its
 * source was opened by, until its facts are read. Returns 0 or -ENOMEM, then nothing changed.
 */
int catalog_show(struct catalog *catalog, struct mapping *mapping, uint32_t slot,
		 const struct pmem2fs_record *record, const char *path, struct process_info *owner);

/*
 * Shows a mapping of another process. Takes ownership of `*extents` unless the name is taken.
 * Returns 0, -EEXIST (shown or reserved) or -ENOMEM.
 */
int catalog_show_scanned(struct catalog *catalog, const char *name, enum origin origin,
			 const struct pmem2fs_record *record, struct extents **extents,
			 const struct scan_state *scan_state, struct process_info *owner,
			 struct mapping **mapping);

/*
 * What another scan found of a mapping of another process. Takes ownership of `*extents`. Returns 0
 * or -ENOMEM.
 */
int catalog_update_scanned(struct catalog *catalog, struct mapping *mapping,
			   const struct pmem2fs_record *record, struct extents **extents);

/*
 * Gives `mapping` the name of `reserved`, which is freed. Returns 0 or -ENOMEM, then nothing has
 * changed.
 */
int catalog_rename(struct catalog *catalog, struct mapping *mapping, struct mapping *reserved);

/* Its process has ended: it is found only by its number from now on, until it is removed. */
void catalog_end(struct catalog *catalog, struct mapping *mapping);

/* Frees a mapping, shown or reserved. */
void catalog_remove(struct catalog *catalog, struct mapping *mapping);

/*
 * Takes in facts that were read at the time `checked`, making a new version if they differ. Takes
 * ownership of what is in the facts. While a change of the mapping is under way, what is mapped of
 * it stays as it was. Facts that say that everything has gone, which the catalog does not know yet,
 * are dropped: the document becomes pending. Returns whether its state or its bad blocks have
 * changed.
 */
bool catalog_learn(struct catalog *catalog, struct mapping *mapping, struct facts *facts,
		   uint64_t checked);

/* Marks the document as possibly out of date, until its facts have been read. */
void catalog_set_pending(struct catalog *catalog, struct mapping *mapping);

/*
 * The keeper has unmapped the pages of [begin, end), in bytes from the start: they no longer belong
 * to the mapping, whatever the kernel has there later. Returns 0 or -ENOMEM, then nothing has
 * changed.
 */
int catalog_cut(struct catalog *catalog, struct mapping *mapping, uint64_t begin, uint64_t end);

/*
 * CLOCK_REALTIME of when a name was last shown, changed or removed; each change has a later time.
 */
struct timespec catalog_changed(const struct catalog *catalog);

/* The number that was given last. */
uint64_t catalog_newest(const struct catalog *catalog);

/*
 * A walk in the order of numbers: the first mapping with a number above this one, or NULL, and
 * those that follow it. `place` is the walk's, and valid until a mapping is shown or removed.
 */
struct mapping *catalog_after(const struct catalog *catalog, uint64_t number, size_t *place);
struct mapping *catalog_next(const struct catalog *catalog, size_t *place);

/*
 * The same in the order of names, including mappings that are only reserved or have ended. Return
 * the first mapping with a name above `name`, and the mapping after `mapping`; NULL: there is none.
 */
struct mapping *catalog_above_name(const struct catalog *catalog, const char *name);
struct mapping *catalog_next_name(const struct mapping *mapping);

/* For snapshot.c. */
struct snapshots *catalog_snapshots(struct catalog *catalog);

/* How many shown mappings have been removed since the catalog was made. */
uint64_t catalog_removed(const struct catalog *catalog);

/* Ends what version_hold has begun. */
void version_release(struct catalog *catalog, struct version *version);

/* Frees a version that nobody needs, as nodes_forget has said. */
void version_free(struct catalog *catalog, struct version *version);

/*
 * The document of a version. The text belongs to the catalog and is valid until the next call. NULL
 * when memory runs out.
 */
const char *version_document(struct catalog *catalog, struct version *version, size_t *length);
/* Its length in bytes, 0 when memory runs out. */
size_t version_document_size(struct catalog *catalog, struct version *version);

/*
 * How many mappings the keeper has for that user, reserved ones included. Each gap in one counts as
 * another one: the kernel's limit is on areas.
 */
unsigned catalog_count_of(const struct catalog *catalog, uid_t uid);

struct catalog_totals catalog_totals(const struct catalog *catalog);

#endif
