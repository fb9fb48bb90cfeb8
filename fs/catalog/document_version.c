/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document_version.c - see document_version.h
 */
#include "catalog/document_version.h"
#include "base/shared_text.h"
#include "base/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct version *version_new(const char *name, uint64_t number, uint64_t since, enum origin origin,
			    const void *record, struct facts *facts)
{
	size_t name_size = strlen(name) + 1;
	struct version *version = malloc(sizeof(*version) + name_size);

	if (version) {
		*version = (struct version){
			.node = {.kind = NODE_VERSION, .held = 1},
			.number = number,
			.size = facts->size,
			.since = since,
			.owner = process_info_get(facts->owner),
			.device = device_get(facts->device),
			.badblocks = facts->badblocks,
			.extents = facts->extents,
			.path = shared_text_get(facts->path),
			.badblock_count = facts->badblock_count,
			.device_badblocks = facts->device_badblocks,
			.origin = (uint8_t)origin,
			.deleted = facts->deleted,
			.size_known = facts->size_known,
			.badblocks_known = facts->badblocks_known,
			.lost = facts->lost,
			.pending = facts->pending,
		};
		facts->badblocks = NULL;
		facts->extents = NULL;
		memcpy(version->record, record, sizeof(version->record));
		memcpy(version->text, name, name_size);
	}
	facts_clear(facts);
	return version;
}

struct version *version_hold(struct version *version)
{
	version->node.held++;
	version->seen = true;
	return version;
}

void version_drop(struct version *version)
{
	process_info_put(version->owner);
	device_put(version->device);
	shared_text_put(version->path);
	free(version->badblocks);
	free(version->extents);
	free(version);
}

void version_record(const struct version *version, struct pmem2fs_record *record)
{
	memset(record, 0, sizeof(*record));
	memcpy(record, version->record, sizeof(version->record));
}

int version_facts(const struct version *version, struct facts *facts)
{
	*facts = (struct facts){
		.size = version->size,
		.badblock_count = version->badblock_count,
		.device_badblocks = version->device_badblocks,
		.deleted = version->deleted,
		.size_known = version->size_known,
		.badblocks_known = version->badblocks_known,
		.lost = version->lost,
		.pending = version->pending,
	};
	if (extents_intersect(version->extents, NULL, &facts->extents))
		return -ENOMEM;
	if (version->badblock_count) {
		size_t size = version->badblock_count * sizeof(*facts->badblocks);

		facts->badblocks = malloc(size);
		if (!facts->badblocks) {
			free(facts->extents);
			return -ENOMEM;
		}
		memcpy(facts->badblocks, version->badblocks, size);
	}
	facts->path = shared_text_get(version->path);
	facts->owner = process_info_get(version->owner);
	facts->device = device_get(version->device);
	return 0;
}

static bool same_badblocks(const struct version *version, const struct facts *facts)
{
	return version->badblock_count == facts->badblock_count &&
	       (!version->badblock_count ||
		!memcmp(version->badblocks, facts->badblocks,
			version->badblock_count * sizeof(*facts->badblocks)));
}

/*
 * Compares everything but the size that the source had when it was mapped: no document shows that.
 */
static bool same_record(const struct version *version, const void *record)
{
	struct pmem2fs_record a, b = {0};

	version_record(version, &a);
	memcpy(&b, record, sizeof(version->record));
	b.source_size = a.source_size;
	return !memcmp(&a, &b, sizeof(a));
}

/* Compares the contents: facts that were read again are at another address. */
static bool same_process(const struct process_info *a, const struct process_info *b)
{
	return a == b || (a && b && a->is.pid == b->is.pid && a->is.started == b->is.started &&
			  text_same(a->is.comm, b->is.comm) && text_same(a->is.exe, b->is.exe) &&
			  text_same(a->is.cgroup, b->is.cgroup));
}

static bool same_device(const struct device *a, const struct device *b)
{
	return a == b || (a && b && !memcmp(&a->is, &b->is, sizeof(a->is)));
}

bool version_says(const struct version *version, const void *record, const struct facts *facts)
{
	return same_record(version, record) && text_same(version->path, facts->path) &&
	       same_process(version->owner, facts->owner) &&
	       same_device(version->device, facts->device) && version->size == facts->size &&
	       version->deleted == facts->deleted && version->size_known == facts->size_known &&
	       version->badblocks_known == facts->badblocks_known && version->lost == facts->lost &&
	       version->pending == facts->pending &&
	       extents_equal(version->extents, facts->extents) &&
	       version->device_badblocks == facts->device_badblocks &&
	       same_badblocks(version, facts);
}

/* A device that is lost is worse than pages that are no longer mapped. */
static const char *state_of(bool lost, const struct extents *extents)
{
	return lost ? "lost" : extents ? "partial" : "active";
}

const char *version_state(const struct version *version)
{
	return state_of(version->lost, version->extents);
}

bool version_is_as_healthy(const struct version *version, const struct facts *facts)
{
	return !strcmp(version_state(version), state_of(facts->lost, facts->extents)) &&
	       same_badblocks(version, facts);
}

bool version_is_completed_by(const struct version *version, const struct facts *facts)
{
	if (version->path &&
	    (!text_same(version->path, facts->path) || version->deleted != facts->deleted))
		return false;
	if (version->size_known && (!facts->size_known || version->size != facts->size))
		return false;
	return version_is_as_healthy(version, facts);
}

uint64_t version_mapped(const struct version *version)
{
	struct pmem2fs_record record;

	version_record(version, &record);
	return extents_bytes(version->extents, record.length);
}

void version_get_document(const struct version *version, struct pmem2fs_record *record,
			  struct document *document)
{
	version_record(version, record);
	*document = (struct document){
		.name = version->text,
		.state = version_state(version),
		.extents = version->extents,
		.pending = version->pending,
		.origin = (enum origin)version->origin,
		.record = record,
		.owner = version->owner ? &version->owner->is : NULL,
		.path = version->path,
		.deleted = version->deleted,
		.size_known = version->size_known,
		.size = version->size,
		.device = version->device ? &version->device->is : NULL,
		.badblocks_known = version->badblocks_known,
		.device_badblock_count = version->device_badblocks,
		.badblocks = version->badblocks,
		.badblock_count = version->badblock_count,
	};
}

char *version_render(const struct version *version, size_t *length)
{
	struct pmem2fs_record record;
	struct document document;

	version_get_document(version, &record, &document);
	return document_render(&document, length);
}
