/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping_fields.h - what is in a struct mapping: for catalog.c, mapping.c and snapshot.c
 *
 * All others use the functions of mapping.h, which say who may change what. Unit tests of what
 * depends on the age or the state of a mapping set its fields, too.
 */
#ifndef PMEM2FS_CATALOG_MAPPING_FIELDS_H
#define PMEM2FS_CATALOG_MAPPING_FIELDS_H

#include "catalog/name_tree.h"
#include "catalog/scan_state.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct extents;
struct mapping_observer;
struct version;

struct mapping {
	struct name_entry by_name;
	struct version *version; /* owned */
	char *reserved;          /* owned; the name while there is no version */
	struct extents *left;    /* owned; what the keeper has not unmapped, NULL: all of it */
	uint64_t number;
	uint64_t checked;
	struct scan_state scan_state;
	struct mapping_observer *observer;
	uint32_t slot;
	uid_t uid;   /* the user who made it, and in whose quota it counts */
	bool learnt; /* its facts have been read at least once */
	bool queried, awaited;
	bool changing;
	bool ended;
};

#endif
