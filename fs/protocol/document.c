/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document.c - the metadata document of one mapping
 *
 * Decides which keys a document has and in which order; metadata.schema.json describes them. Calls
 * json_writer.h only. Out of memory is checked once, where the text is finished.
 */
#include "protocol/document.h"
#include "base/json_writer.h"
#include <inttypes.h>
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

const char *document_granularity(const struct document *document)
{
	const char *domain = document->device ? document->device->persistence_domain : "";

	if (document->origin != ORIGIN_OBSERVED)
		return granularities[document->record->granularity];
	if (document->record->source_type != PMEM2FS_SOURCE_DEVDAX)
		return NULL;
	if (!strcmp(domain, "cpu_cache"))
		return granularities[PMEM2_GRANULARITY_BYTE];
	if (!strcmp(domain, "memory_controller"))
		return granularities[PMEM2_GRANULARITY_CACHE_LINE];
	return NULL;
}

int document_map_sync(const struct document *document)
{
	if (document->origin != ORIGIN_OBSERVED)
		return (document->record->flags & PMEM2FS_RECORD_MAP_SYNC) != 0;
	return document->record->source_type == PMEM2FS_SOURCE_DEVDAX ? 1 : -1;
}

dev_t document_dev(const struct document *document)
{
	const struct pmem2fs_record *record = document->record;

	return record->source_type == PMEM2FS_SOURCE_DEVDAX ? record->source_rdev
							    : record->source_dev;
}

const char *document_source_type(const struct document *document)
{
	return source_types[document->record->source_type];
}

const char *document_origin(const struct document *document)
{
	return origins[document->origin];
}

/*
 * Numbers that the kernel takes from other processes or file systems: some stacked file systems use
 * the highest bit of inode numbers, and device DAX can be mapped at any offset. Few readers of JSON
 * can take such integers.
 */
static void write_any_number(struct json_writer *writer, const char *key, uint64_t value)
{
	char text[32];

	if (value <= INT64_MAX) {
		json_write_number(writer, key, value);
		return;
	}
	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	json_write_bytes(writer, key, text);
}

/* Facts of the device: an empty string or PMEM2FS_INAPPLICABLE does not apply. */
static void write_device_string(struct json_writer *writer, const char *key, const char *string)
{
	if (string[0] != '\0')
		json_write_bytes(writer, key, string);
}

static void write_device_number(struct json_writer *writer, const char *key, int64_t number)
{
	if (number == PMEM2FS_UNKNOWN)
		json_write_null(writer, key);
	else if (number != PMEM2FS_INAPPLICABLE)
		json_write_integer(writer, key, number);
}

static void write_time(struct json_writer *writer, const char *key, uint64_t nanoseconds)
{
	char text[JSON_TIME_SIZE];

	json_time_text(text, nanoseconds);
	json_write_bytes(writer, key, text);
}

static void write_owner(struct json_writer *writer, const struct document *document)
{
	const struct document_process *owner = document->owner;

	json_write_begin(writer, "owner", '{');
	json_write_number(writer, "pid", (uint64_t)owner->pid);
	json_write_bytes(writer, "comm", owner->comm);
	json_write_bytes(writer, "exe", owner->exe);
	json_write_bytes(writer, "cgroup", owner->cgroup);
	if (owner->started != 0)
		write_time(writer, "started", owner->started);
	else
		json_write_null(writer, "started");
	json_write_number(writer, "uid", document->record->uid);
	json_write_number(writer, "gid", document->record->gid);
	json_write_end(writer, '}');
}

static void write_source(struct json_writer *writer, const struct document *document)
{
	const struct pmem2fs_record *record = document->record;
	dev_t dev = document_dev(document);
	char text[32];

	json_write_begin(writer, "source", '{');
	json_write_bytes(writer, "type", document_source_type(document));
	if (record->source_type == PMEM2FS_SOURCE_ANONYMOUS) {
		json_write_number(writer, "size", record->length);
		json_write_end(writer, '}');
		return;
	}
	json_write_bytes(writer, "path", document->path);
	if (document->deleted)
		json_write_boolean(writer, "deleted", true);
	write_any_number(writer, "offset", record->offset);
	if (document->size_known)
		json_write_number(writer, "size", document->size);
	else
		json_write_null(writer, "size");
	json_write_number(writer, "align", record->alignment);
	snprintf(text, sizeof(text), "%u:%u", major(dev), minor(dev));
	json_write_bytes(writer, "dev", text);
	write_any_number(writer, "inode", record->source_inode);
	json_write_end(writer, '}');
}

static void write_range(struct json_writer *writer, uint64_t offset, uint64_t length)
{
	json_write_begin(writer, NULL, '{');
	json_write_number(writer, "offset", offset);
	json_write_number(writer, "length", length);
	json_write_end(writer, '}');
}

static void write_extents(struct json_writer *writer, const struct extents *extents)
{
	json_write_begin(writer, "extents", '[');
	for (size_t i = 0; i < extents->count; i++)
		write_range(writer, extents->list[i].offset, extents->list[i].length);
	json_write_end(writer, ']');
}

static void write_badblocks(struct json_writer *writer, const struct document *document)
{
	if (!document->badblocks_known) {
		json_write_null(writer, "badblock_count");
		json_write_null(writer, "badblocks");
		return;
	}
	json_write_number(writer, "badblock_count", document->device_badblock_count);
	json_write_begin(writer, "badblocks", '[');
	for (size_t i = 0; i < document->badblock_count; i++)
		write_range(writer, document->badblocks[i].offset, document->badblocks[i].length);
	json_write_end(writer, ']');
}

static void write_device(struct json_writer *writer, const struct document *document)
{
	const struct pmem2fs_device *device = document->device;

	json_write_begin(writer, "device", '{');
	write_device_string(writer, "namespace", device->namespace_name);
	write_device_string(writer, "uuid", device->uuid);
	write_device_string(writer, "mode", device->mode);
	write_device_string(writer, "blockdev", device->blockdev);
	write_device_string(writer, "chardev", device->chardev);
	write_device_string(writer, "region", device->region);
	write_device_number(writer, "numa_node", device->numa_node);
	write_device_number(writer, "target_node", device->target_node);
	/* Every NVDIMM region has a persistence domain; other DAX memory has none. */
	if (device->region[0] != '\0' && device->persistence_domain[0] == '\0')
		json_write_null(writer, "persistence_domain");
	else
		write_device_string(writer, "persistence_domain", device->persistence_domain);
	write_device_number(writer, "unsafe_shutdowns", device->unsafe_shutdowns);
	write_badblocks(writer, document);
	json_write_end(writer, '}');
}

/* What only the process that maps knows. */
static void write_reported(struct json_writer *writer, const struct document *document)
{
	int map_sync = document_map_sync(document);

	json_write_bytes(writer, "granularity", document_granularity(document));
	if (document->origin != ORIGIN_OBSERVED)
		json_write_bytes(writer, "required_granularity",
				 granularities[document->record->required]);
	if (map_sync < 0)
		json_write_null(writer, "map_sync");
	else
		json_write_boolean(writer, "map_sync", map_sync);
}

static void write_claimed(struct json_writer *writer, const struct document *document)
{
	static const char *const keys[] = {"granularity", "required_granularity", "map_sync",
					   "created", "source.align"};

	json_write_begin(writer, "claimed", '[');
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		json_write_bytes(writer, NULL, keys[i]);
	/* How long it was before parts were unmapped only the process knows. */
	if (document->extents)
		json_write_bytes(writer, NULL, "length");
	json_write_end(writer, ']');
}

static void write_root(struct json_writer *writer, const struct document *document)
{
	const struct pmem2fs_record *record = document->record;
	char address[32];

	snprintf(address, sizeof(address), "0x%" PRIx64, record->address);
	json_write_begin(writer, NULL, '{');
	json_write_number(writer, "version", 1);
	json_write_bytes(writer, "name", document->name);
	json_write_bytes(writer, "state", document->state);
	if (document->extents)
		write_extents(writer, document->extents);
	if (document->pending)
		json_write_boolean(writer, "pending", true);
	json_write_bytes(writer, "origin", document_origin(document));
	json_write_bytes(writer, "address", address);
	json_write_number(writer, "length", record->length);
	write_reported(writer, document);
	json_write_bytes(writer, "sharing", sharings[record->sharing]);
	json_write_bytes(writer, "protection", protections[record->protection & 7]);
	if (document->origin == ORIGIN_OBSERVED)
		json_write_null(writer, "created");
	else
		write_time(writer, "created", record->created);
	if (document->origin == ORIGIN_PUBLISHED)
		write_claimed(writer, document);
	write_owner(writer, document);
	write_source(writer, document);
	if (document->device)
		write_device(writer, document);
	json_write_end(writer, '}');
}

char *document_render(const struct document *document, size_t *length)
{
	struct text_buffer out = {0};
	struct json_writer writer = {.out = &out, .indented = true};

	write_root(&writer, document);
	text_buffer_put(&out, "\n", 2); /* with a NUL */
	if (out.failed) {
		free(out.bytes);
		return NULL;
	}
	*length = out.length - 1;
	return out.bytes;
}

void document_render_line(const struct document *document, struct text_buffer *out)
{
	struct json_writer writer = {.out = out};

	write_root(&writer, document);
	text_buffer_put_byte(out, '\n');
}
