/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document_stream.c - see document_stream.h
 */
#include "control/document_stream.h"
#include "base/json_writer.h"
#include "base/text_buffer.h"
#include "protocol/control.h"
#include <errno.h>
#include <stdlib.h>

const struct share document_streams_share = {
	.what = "lists being sent", .total = 64, .root = 4, .user = 4, .sure = 1};

#define PORTION ((size_t)64 * 1024) /* text to render at once, up to the end of a document */

struct document_stream {
	struct document_stream *next; /* in the list of the server */
	struct document_streams *streams;
	struct catalog *catalog;
	struct rights rights;
	unsigned mode; /* the mode of the files */
	const struct list_terms *terms;
	struct version **versions;
	size_t count, rendered;
	struct text_buffer text;
	size_t sent; /* of the text, bytes */
};

bool document_streams_have_room(const struct document_streams *streams, uid_t uid)
{
	struct share_use use = {.uid = uid};

	/* For streams of one version the limit on connections suffices. */
	for (const struct document_stream *s = streams->list; s; s = s->next)
		share_count(&use, s->rights.uid, s->count > 1);
	return share_room(&document_streams_share, &use);
}

void document_streams_wait(struct document_streams *streams, struct waiter *waiter)
{
	if (!streams->waiters)
		streams->waiters_end = &streams->waiters;
	waiter->next = NULL;
	*streams->waiters_end = waiter;
	streams->waiters_end = &waiter->next;
}

struct document_stream *document_stream_new(struct document_streams *streams,
					    struct catalog *catalog, struct rights *rights,
					    unsigned mode, const struct list_terms *terms,
					    struct version **versions, size_t count)
{
	struct document_stream *stream = calloc(1, sizeof(*stream));

	if (!stream) {
		for (size_t i = 0; i < count; i++)
			version_release(catalog, versions[i]);
		free(versions);
		rights_clear(rights);
		return NULL;
	}
	*stream = (struct document_stream){
		.next = streams->list,
		.streams = streams,
		.catalog = catalog,
		.rights = *rights,
		.mode = mode,
		.terms = terms,
		.versions = versions,
		.count = count,
	};
	*rights = (struct rights){0};
	streams->list = stream;
	return stream;
}

void document_stream_free(struct document_stream *stream)
{
	struct document_streams *streams = stream->streams;
	struct document_stream **at = &streams->list;

	while (*at != stream)
		at = &(*at)->next;
	*at = stream->next;
	for (size_t i = stream->rendered; i < stream->count; i++)
		version_release(stream->catalog, stream->versions[i]);
	free(stream->versions);
	free(stream->text.bytes);
	rights_clear(&stream->rights);
	free(stream);
	waiters_wake(&streams->waiters);
}

/* The line of a mapping whose document the peer may not read. */
static void put_name(struct text_buffer *out, const char *name, int error)
{
	struct json_writer writer = {.out = out};

	json_write_begin(&writer, NULL, '{');
	json_write_bytes(&writer, "name", name);
	json_write_number(&writer, "errno", (uint64_t)error);
	json_write_end(&writer, '}');
	text_buffer_put_byte(out, '\n');
}

/* Adds the line of the next version, and lets go of the version. */
static void put_next(struct document_stream *stream)
{
	struct version *version = stream->versions[stream->rendered++];
	const struct list_terms *terms = stream->terms;
	struct pmem2fs_record record;
	struct document document;
	int error = 0;

	version_get_document(version, &record, &document);
	if (!rights_allow_version(&stream->rights, version, stream->mode))
		error = EACCES;
	if (terms->column_count)
		columns_put_line(terms->columns, terms->column_count, &document, error,
				 &stream->text);
	else if (error)
		put_name(&stream->text, document.name, error);
	else
		document_render_line(&document, &stream->text);
	version_release(stream->catalog, version);
}

const char *document_stream_text(struct document_stream *stream, size_t *length)
{
	struct text_buffer *text = &stream->text;

	if (stream->sent == text->length)
		text->length = stream->sent = 0;
	while (!stream->sent && text->length < PORTION && stream->rendered < stream->count)
		put_next(stream);
	if (text->failed)
		return NULL;
	*length = text->length - stream->sent;
	if (*length > CONTROL_MAX_BYTES)
		*length = CONTROL_MAX_BYTES;
	return *length ? text->bytes + stream->sent : "";
}

void document_stream_sent(struct document_stream *stream, size_t length)
{
	stream->sent += length;
}
