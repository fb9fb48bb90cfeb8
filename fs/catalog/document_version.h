/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document_version.h - all that one version of a mapping's document says
 *
 * Does not change after it is made, but for its node, the size of its document, whether it was seen
 * or is cached, and its place among the leftovers.
 */
#ifndef PMEM2FS_CATALOG_DOCUMENT_VERSION_H
#define PMEM2FS_CATALOG_DOCUMENT_VERSION_H

#include "base/extents.h"
#include "catalog/nodes.h"
#include "host/mapping_facts.h"
#include "libpmem2fs.h"
#include "protocol/document.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct version {
	struct node node; /* by which the kernel knows it */
	uint64_t number;  /* of its mapping */
	uint64_t serial;  /* of the catalog: later versions of any mapping have higher ones */
	uint64_t size;    /* of the source, bytes */
	uint64_t since;   /* CLOCK_REALTIME, ns: when the document began to say this */
	/* Of leftovers.c. */
	uint64_t left_at; /* clock_now() when it was added; 0: it is not among them */
	struct version *left_before, *left_after;
	struct process_info *owner;
	struct device *device;
	struct pmem2_badblock *badblocks;
	struct extents *extents;
	const char *path; /* shared_text.h, or NULL */
	uint32_t badblock_count, device_badblocks;
	uint32_t document_size; /* 0: not rendered yet */
	uint8_t origin;         /* enum origin */
	bool deleted, size_known, badblocks_known, lost, pending;
	bool seen; /* the document was read, or this version is held to be read */
	/* Of another process's mapping, and the kernel may use its entry without asking. */
	bool cached;
	/* The record up to its label, which is the name. */
	unsigned char record[offsetof(struct pmem2fs_record, label_length)];
	char text[]; /* the name, terminated */
};

/*
 * `record` begins as a struct pmem2fs_record. Takes ownership of what is in the facts. NULL when
 * memory runs out.
 */
struct version *version_new(const char *name, uint64_t number, uint64_t since, enum origin origin,
			    const void *record, struct facts *facts);
/* Only the memory and the references: a version in a catalog is freed by version_free. */
void version_drop(struct version *version);

/* Keeps a version in memory until version_release (catalog.h), also when it is no longer current.
 */
struct version *version_hold(struct version *version);

/* The record without its label. */
void version_record(const struct version *version, struct pmem2fs_record *record);

/* A copy of its facts, for another version. Returns 0 or -ENOMEM. */
int version_facts(const struct version *version, struct facts *facts);

/* Whether a document of that record and those facts would be the same as that of the version. */
bool version_says(const struct version *version, const void *record, const struct facts *facts);

/*
 * Whether the version was made before any facts were read and the facts only add to it. If so,
 * nothing of the mapping has changed.
 */
bool version_is_completed_by(const struct version *version, const struct facts *facts);

/* "active", "partial" or "lost". */
const char *version_state(const struct version *version);

/* Whether its state and its bad blocks (unknown ones are none) are those of the facts. */
bool version_is_as_healthy(const struct version *version, const struct facts *facts);

/* How many bytes are still mapped. */
uint64_t version_mapped(const struct version *version);

/*
 * What the document says. It points into the version, and to `record`, which gets the record
 * without its label.
 */
void version_get_document(const struct version *version, struct pmem2fs_record *record,
			  struct document *document);

/* The document, made by document_render, for the caller to free. */
char *version_render(const struct version *version, size_t *length);

#endif
