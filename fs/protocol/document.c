/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document.c - the metadata document of one mapping
 *
 * Decides which keys a document has and in which order; metadata.schema.json describes them. Calls
 * only jansson and json_fields.h. A value that cannot be built is NULL, which jansson's setters
 * report as an error: out of memory is checked only where an object is finished.
 */
#include "protocol/document.h"
#include "base/json_fields.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

static const char *const source_types[] = {
	[PMEM2FS_SOURCE_ANONYMOUS] = "anonymous",
	[PMEM2FS_SOURCE_FILE] = "file",
	[PMEM2FS_SOURCE_FSDAX] = "fsdax",
	[PMEM2FS_SOURCE_DEVDAX] = "devdax",
};
static const char *const granularities[] = {
	[PMEM2_GRANULARITY_BYTE] = "byte",
	[PMEM2_GRANULARITY_CACHE_LINE] = "cache_line",
	[PMEM2_GRANULARITY_PAGE] = "page",
};
static const char *const origins[] = {
	[ORIGIN_PMEM2FS] = "pmem2fs",
	[ORIGIN_PUBLISHED] = "published",
	[ORIGIN_OBSERVED] = "observed",
};
static const char *const sharings[] = {
	[PMEM2_SHARED] = "shared",
	[PMEM2_PRIVATE] = "private",
};
static const char *const protections[] = {"---", "r--", "-w-", "rw-", "--x", "r-x", "-wx", "rwx"};

/* The setters return 0 or -1; `key` is always one of our own. */
static int set_value(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new_nocheck(object, key, value);
}

static int set_string(json_t *object, const char *key, const char *string)
{
	return set_value(object, key, json_string_nocheck(string));
}

static int set_integer(json_t *object, const char *key, uint64_t value)
{
	return set_value(object, key, json_integer((json_int_t)value));
}

/* Facts of the device: an empty string or PMEM2FS_INAPPLICABLE does not apply. */
static int set_device_string(json_t *object, const char *key, const char *string)
{
	return string[0] == '\0' ? 0 : set_string(object, key, string);
}

static int set_device_number(json_t *object, const char *key, int64_t number)
{
	if (number == PMEM2FS_INAPPLICABLE)
		return 0;
	return set_value(object, key,
			 number == PMEM2FS_UNKNOWN ? json_null() : json_integer(number));
}

static json_t *finish(json_t *object, int error)
{
	if (!error)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *render_owner(const struct document_process *owner,
			    const struct pmem2fs_record *record)
{
	json_t *object = json_object();
	int error = 0;

	error |= set_integer(object, "pid", (uint64_t)owner->pid);
	error |= json_field_bytes(object, "comm", owner->comm);
	error |= json_field_bytes(object, "exe", owner->exe);
	error |= json_field_bytes(object, "cgroup", owner->cgroup);
	if (owner->started != 0)
		error |= json_field_time(object, "started", owner->started);
	else
		error |= set_value(object, "started", json_null());
	error |= set_integer(object, "uid", record->uid);
	error |= set_integer(object, "gid", record->gid);
	return finish(object, error);
}

static json_t *render_source(const struct document *document)
{
	const struct pmem2fs_record *record = document->record;
	json_t *object = json_object();
	char text[32];
	dev_t dev;
	int error = 0;

	error |= set_string(object, "type", source_types[record->source_type]);
	if (record->source_type == PMEM2FS_SOURCE_ANONYMOUS) {
		error |= set_integer(object, "size", record->length);
		return finish(object, error);
	}
	error |= json_field_bytes(object, "path", document->path);
	if (document->deleted)
		error |= set_value(object, "deleted", json_true());
	error |= set_integer(object, "offset", record->offset);
	if (document->size_known)
		error |= set_integer(object, "size", document->size);
	else
		error |= set_value(object, "size", json_null());
	error |= set_integer(object, "align", record->alignment);
	dev = record->source_type == PMEM2FS_SOURCE_DEVDAX ? record->source_rdev
							   : record->source_dev;
	snprintf(text, sizeof(text), "%u:%u", major(dev), minor(dev));
	error |= set_string(object, "dev", text);
	/* Some stacked file systems use the highest bit, which few readers of JSON can take. */
	if (record->source_inode <= INT64_MAX) {
		error |= set_integer(object, "inode", record->source_inode);
	} else {
		snprintf(text, sizeof(text), "0x%" PRIx64, record->source_inode);
		error |= set_string(object, "inode", text);
	}
	return finish(object, error);
}

static int append_range(json_t *array, uint64_t offset, uint64_t length)
{
	json_t *object = json_object();
	int error = 0;

	error |= set_integer(object, "offset", offset);
	error |= set_integer(object, "length", length);
	return error | json_array_append_new(array, object);
}

static json_t *render_extents(const struct extents *extents)
{
	json_t *array = json_array();
	int error = 0;

	for (size_t i = 0; i < extents->count; i++)
		error |= append_range(array, extents->list[i].offset, extents->list[i].length);
	return finish(array, error);
}

static json_t *render_badblocks(const struct document *document)
{
	json_t *array = json_array();
	int error = 0;

	for (size_t i = 0; i < document->badblock_count; i++)
		error |= append_range(array, document->badblocks[i].offset,
				      document->badblocks[i].length);
	return finish(array, error);
}

static json_t *render_device(const struct document *document)
{
	const struct pmem2fs_device *device = document->device;
	json_t *object = json_object();
	int error = 0;

	error |= set_device_string(object, "namespace", device->namespace_name);
	error |= set_device_string(object, "uuid", device->uuid);
	error |= set_device_string(object, "mode", device->mode);
	error |= set_device_string(object, "blockdev", device->blockdev);
	error |= set_device_string(object, "chardev", device->chardev);
	error |= set_device_string(object, "region", device->region);
	error |= set_device_number(object, "numa_node", device->numa_node);
	error |= set_device_number(object, "target_node", device->target_node);
	/* Every NVDIMM region has a persistence domain; other DAX memory has none. */
	if (device->region[0] != '\0' && device->persistence_domain[0] == '\0')
		error |= set_value(object, "persistence_domain", json_null());
	else
		error |=
			set_device_string(object, "persistence_domain", device->persistence_domain);
	error |= set_device_number(object, "unsafe_shutdowns", device->unsafe_shutdowns);
	if (document->badblocks_known) {
		error |= set_integer(object, "badblock_count", document->device_badblock_count);
		error |= set_value(object, "badblocks", render_badblocks(document));
	} else {
		error |= set_value(object, "badblock_count", json_null());
		error |= set_value(object, "badblocks", json_null());
	}
	return finish(object, error);
}

/* What only the process that maps knows, as it reported it. */
static int set_reported(json_t *object, const struct pmem2fs_record *record)
{
	int error = 0;

	error |= set_string(object, "granularity", granularities[record->granularity]);
	error |= set_string(object, "required_granularity", granularities[record->required]);
	error |= set_value(object, "map_sync",
			   json_boolean(record->flags & PMEM2FS_RECORD_MAP_SYNC));
	return error;
}

/* The same for a mapping that was only observed. On device DAX the platform decides it. */
static int set_observed(json_t *object, const struct document *document)
{
	const char *domain = document->device ? document->device->persistence_domain : "";
	bool devdax = document->record->source_type == PMEM2FS_SOURCE_DEVDAX;
	int error = 0;

	if (devdax && !strcmp(domain, "cpu_cache"))
		error |= set_string(object, "granularity", granularities[PMEM2_GRANULARITY_BYTE]);
	else if (devdax && !strcmp(domain, "memory_controller"))
		error |= set_string(object, "granularity",
				    granularities[PMEM2_GRANULARITY_CACHE_LINE]);
	else
		error |= set_value(object, "granularity", json_null());
	return error | set_value(object, "map_sync", devdax ? json_true() : json_null());
}

static json_t *render_claimed(const struct document *document)
{
	json_t *array = json_pack("[s, s, s, s, s]", "granularity", "required_granularity",
				  "map_sync", "created", "source.align");

	/* How long it was before parts were unmapped only the process knows. */
	if (document->extents)
		json_array_append_new(array, json_string_nocheck("length"));
	return array;
}

static json_t *render_root(const struct document *document)
{
	const struct pmem2fs_record *record = document->record;
	json_t *object = json_object();
	char address[32];
	int error = 0;

	snprintf(address, sizeof(address), "0x%" PRIx64, record->address);
	error |= set_integer(object, "version", 1);
	error |= json_field_bytes(object, "name", document->name);
	error |= set_string(object, "state", document->state);
	if (document->extents != NULL)
		error |= set_value(object, "extents", render_extents(document->extents));
	error |= set_string(object, "origin", origins[document->origin]);
	error |= set_string(object, "address", address);
	error |= set_integer(object, "length", record->length);
	error |= document->origin == ORIGIN_OBSERVED ? set_observed(object, document)
						     : set_reported(object, record);
	error |= set_string(object, "sharing", sharings[record->sharing]);
	error |= set_string(object, "protection", protections[record->protection & 7]);
	if (document->origin == ORIGIN_OBSERVED)
		error |= set_value(object, "created", json_null());
	else
		error |= json_field_time(object, "created", record->created);
	if (document->origin == ORIGIN_PUBLISHED)
		error |= set_value(object, "claimed", render_claimed(document));
	error |= set_value(object, "owner", render_owner(document->owner, record));
	error |= set_value(object, "source", render_source(document));
	if (document->device != NULL)
		error |= set_value(object, "device", render_device(document));
	return finish(object, error);
}

char *document_render(const struct document *document, size_t *length)
{
	json_t *root = render_root(document);
	char *text, *longer;
	size_t used;

	if (root == NULL)
		return NULL;
	text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	if (text == NULL)
		return NULL;
	used = strlen(text);
	longer = realloc(text, used + 2);
	if (longer == NULL) {
		free(text);
		return NULL;
	}
	memcpy(longer + used, "\n", 2);
	*length = used + 1;
	return longer;
}
