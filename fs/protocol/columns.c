/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * columns.c - see columns.h
 */
#include "protocol/columns.h"
#include "base/json_writer.h"
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

struct column {
	const char *name;
	void (*put)(const struct document *document, struct text_buffer *out);
	bool needs_facts;
};

static void put_absent(struct text_buffer *out)
{
	text_buffer_put(out, "\\-", 2);
}

static void put_null(struct text_buffer *out)
{
	text_buffer_put(out, "\\N", 2);
}

static bool is_plain(char byte)
{
	return (unsigned char)byte >= 0x20 && byte != '\\';
}

/* NULL is null. */
static void put_bytes(const char *bytes, struct text_buffer *out)
{
	static const char digits[] = "0123456789abcdef";

	if (!bytes)
		put_null(out);
	while (bytes && *bytes) {
		size_t length = 0;

		while (is_plain(bytes[length]))
			length++;
		text_buffer_put(out, bytes, length);
		bytes += length;
		if (!*bytes)
			break;
		text_buffer_put(out, "\\x", 2);
		text_buffer_put_byte(out, digits[(unsigned char)*bytes >> 4]);
		text_buffer_put_byte(out, digits[*bytes & 0xf]);
		bytes++;
	}
}

static void put_time(uint64_t nanoseconds, struct text_buffer *out)
{
	char text[JSON_TIME_SIZE];

	json_time_text(text, nanoseconds);
	text_buffer_put_text(out, text);
}

static bool has_file(const struct document *document)
{
	return document->record->source_type != PMEM2FS_SOURCE_ANONYMOUS;
}

static void put_name(const struct document *document, struct text_buffer *out)
{
	put_bytes(document->name, out);
}

/* Of a document that may be read. */
static void put_errno(const struct document *document, struct text_buffer *out)
{
	(void)document;
	put_absent(out);
}

static void put_state(const struct document *document, struct text_buffer *out)
{
	put_bytes(document->state, out);
}

static void put_pending(const struct document *document, struct text_buffer *out)
{
	if (document->pending)
		text_buffer_put_text(out, "true");
	else
		put_absent(out);
}

static void put_origin(const struct document *document, struct text_buffer *out)
{
	put_bytes(document_origin(document), out);
}

static void put_length(const struct document *document, struct text_buffer *out)
{
	text_buffer_put_number(out, document->record->length);
}

static void put_mapped(const struct document *document, struct text_buffer *out)
{
	text_buffer_put_number(out, extents_bytes(document->extents, document->record->length));
}

static void put_extents(const struct document *document, struct text_buffer *out)
{
	if (!document->extents)
		put_absent(out);
	for (size_t i = 0; document->extents && i < document->extents->count; i++) {
		if (i)
			text_buffer_put_byte(out, ',');
		text_buffer_put_number(out, document->extents->list[i].offset);
		text_buffer_put_byte(out, '+');
		text_buffer_put_number(out, document->extents->list[i].length);
	}
}

static void put_granularity(const struct document *document, struct text_buffer *out)
{
	put_bytes(document_granularity(document), out);
}

static void put_map_sync(const struct document *document, struct text_buffer *out)
{
	int map_sync = document_map_sync(document);

	put_bytes(map_sync < 0 ? NULL : map_sync ? "true" : "false", out);
}

static void put_created(const struct document *document, struct text_buffer *out)
{
	if (document->origin == ORIGIN_OBSERVED)
		put_null(out);
	else
		put_time(document->record->created, out);
}

static void put_pid(const struct document *document, struct text_buffer *out)
{
	text_buffer_put_number(out, (uint64_t)document->owner->pid);
}

static void put_comm(const struct document *document, struct text_buffer *out)
{
	put_bytes(document->owner->comm, out);
}

static void put_exe(const struct document *document, struct text_buffer *out)
{
	put_bytes(document->owner->exe, out);
}

static void put_cgroup(const struct document *document, struct text_buffer *out)
{
	put_bytes(document->owner->cgroup, out);
}

static void put_started(const struct document *document, struct text_buffer *out)
{
	if (document->owner->started)
		put_time(document->owner->started, out);
	else
		put_null(out);
}

static void put_uid(const struct document *document, struct text_buffer *out)
{
	text_buffer_put_number(out, document->record->uid);
}

static void put_type(const struct document *document, struct text_buffer *out)
{
	put_bytes(document_source_type(document), out);
}

static void put_path(const struct document *document, struct text_buffer *out)
{
	if (has_file(document))
		put_bytes(document->path, out);
	else
		put_absent(out);
}

static void put_deleted(const struct document *document, struct text_buffer *out)
{
	if (has_file(document) && document->deleted)
		text_buffer_put_text(out, "true");
	else
		put_absent(out);
}

static void put_offset(const struct document *document, struct text_buffer *out)
{
	if (has_file(document))
		text_buffer_put_number(out, document->record->offset);
	else
		put_absent(out);
}

static void put_dev(const struct document *document, struct text_buffer *out)
{
	dev_t dev = document_dev(document);

	if (!has_file(document)) {
		put_absent(out);
		return;
	}
	text_buffer_put_number(out, major(dev));
	text_buffer_put_byte(out, ':');
	text_buffer_put_number(out, minor(dev));
}

static void put_inode(const struct document *document, struct text_buffer *out)
{
	if (has_file(document))
		text_buffer_put_number(out, document->record->source_inode);
	else
		put_absent(out);
}

static void put_namespace(const struct document *document, struct text_buffer *out)
{
	if (document->device && document->device->namespace_name[0])
		put_bytes(document->device->namespace_name, out);
	else
		put_absent(out);
}

/* JSON has no byte below 0x20, and few backslashes. */
static void put_document(const struct document *document, struct text_buffer *out)
{
	struct text_buffer line = {0};

	document_render_line(document, &line);
	if (line.failed) {
		out->failed = true;
	} else {
		line.bytes[line.length - 1] = '\0';
		put_bytes(line.bytes, out);
	}
	free(line.bytes);
}

static const struct column table[] = {
	{"name", put_name, false},
	{"errno", put_errno, false},
	{"state", put_state, true},
	{"pending", put_pending, true},
	{"origin", put_origin, false},
	{"length", put_length, false},
	{"mapped", put_mapped, true},
	{"extents", put_extents, true},
	{"granularity", put_granularity, true},
	{"map_sync", put_map_sync, false},
	{"created", put_created, false},
	{"owner.pid", put_pid, false},
	{"owner.comm", put_comm, true},
	{"owner.exe", put_exe, true},
	{"owner.cgroup", put_cgroup, true},
	{"owner.started", put_started, true},
	{"owner.uid", put_uid, false},
	{"source.type", put_type, false},
	{"source.path", put_path, true},
	{"source.deleted", put_deleted, true},
	{"source.offset", put_offset, false},
	{"source.dev", put_dev, false},
	{"source.inode", put_inode, false},
	{"device.namespace", put_namespace, true},
	{"document", put_document, true},
};

const struct column *column_find(const char *name)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcmp(table[i].name, name))
			return &table[i];
	return NULL;
}

bool column_needs_facts(const struct column *column)
{
	return column->needs_facts;
}

/* The field of a mapping whose document may not be read. */
static void put_unreadable(const struct column *column, const struct document *document, int error,
			   struct text_buffer *out)
{
	if (column->put == put_name)
		put_name(document, out);
	else if (column->put == put_errno)
		text_buffer_put_number(out, (uint64_t)error);
	else
		put_absent(out);
}

void columns_put_line(const struct column *const *columns, size_t count,
		      const struct document *document, int error, struct text_buffer *out)
{
	for (size_t i = 0; i < count; i++) {
		if (i)
			text_buffer_put_byte(out, '\t');
		if (error)
			put_unreadable(columns[i], document, error, out);
		else
			columns[i]->put(document, out);
	}
	text_buffer_put_byte(out, '\n');
}
