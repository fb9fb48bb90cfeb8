/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document_stream.c - see document_stream.h
 */
#include "control/document_stream.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/text_buffer.h"
#include "catalog/snapshot.h"
#include "protocol/control.h"
#include <errno.h>
#include <stdlib.h>

const struct share document_streams_share = {
	.what = "lists being sent", .total = 64, .root = 4, .user = 4, .sure = 1};

#define PORTION          ((size_t)64 * 1024) /* text to render at once, up to the end of a document */
#define RELEASES_AT_ONCE 64                  /* versions, between two looks at the clock */

struct document_stream {
	struct document_stream *next; /* in a list of the server */
	struct document_streams *streams;
	struct catalog *catalog;
	struct rights rights;
	unsigned mode; /* the mode of the files */
	const struct list_terms *terms;
	struct snapshot snapshot;
	bool begun, collected;    /* the snapshot */
	size_t hidden, undecided; /* with a filter */
	size_t rendered;
	struct text_buffer text;
	size_t sent; /* of the text, bytes */
};

bool document_streams_have_room(const struct document_streams *streams, uid_t uid)
{
	struct share_use use = {.uid = uid};

	/* For streams of one version the limit on connections suffices. */
	for (const struct document_stream *s = streams->list; s; s = s->next)
		share_count(&use, s->rights.uid, !s->collected || s->snapshot.count > 1);
	for (const struct document_stream *s = streams->ended; s; s = s->next)
		share_count(&use, s->rights.uid, 1);
	return share_room(&document_streams_share, &use);
}

static void append(struct waiter **list, struct waiter ***end, struct waiter *waiter)
{
	if (!*list)
		*end = list;
	waiter->next = NULL;
	**end = waiter;
	*end = &waiter->next;
}

void document_streams_wait(struct document_streams *streams, struct waiter *waiter)
{
	append(&streams->waiters, &streams->waiters_end, waiter);
}

void document_streams_pause(struct document_streams *streams, struct waiter *waiter)
{
	append(&streams->paused, &streams->paused_end, waiter);
}

static void free_ended(struct document_streams *streams, uint64_t until)
{
	struct document_stream *stream;

	while ((stream = streams->ended)) {
		while (stream->rendered < stream->snapshot.count) {
			version_release(stream->catalog,
					stream->snapshot.versions[stream->rendered++]);
			if (stream->rendered % RELEASES_AT_ONCE == 0 && clock_now() >= until)
				return;
		}
		streams->ended = stream->next;
		snapshot_clear(&stream->snapshot, stream->catalog);
		free(stream);
		waiters_wake(&streams->waiters);
	}
}

bool document_streams_work(struct document_streams *streams)
{
	struct waiter *waiter = streams->paused;

	if (streams->ended)
		free_ended(streams, clock_now() + DOCUMENT_STREAMS_ROUND);
	if (waiter) {
		streams->paused = waiter->next;
		waiter->wake(waiter);
	}
	return streams->ended || streams->paused;
}

/* What a peer may not read, it shall not find out with a filter either. */
static bool is_selected(void *arg, const struct version *version)
{
	struct document_stream *stream = arg;
	enum mapping_match match;

	if (!stream->terms->filter)
		return true;
	if (!rights_allow_version(&stream->rights, version, stream->mode)) {
		stream->hidden++;
		return false;
	}
	match = mapping_filter_match(stream->terms->filter, version, true);
	stream->undecided += match == MATCH_UNDECIDED;
	return match == MATCH_YES;
}

struct document_stream *document_stream_new(struct document_streams *streams,
					    struct catalog *catalog, struct rights *rights,
					    unsigned mode, const struct list_terms *terms)
{
	struct document_stream *stream = calloc(1, sizeof(*stream));

	if (!stream) {
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
		.snapshot = {.wanted = is_selected, .arg = stream},
	};
	*rights = (struct rights){0};
	streams->list = stream;
	return stream;
}

int document_stream_add(struct document_stream *stream, struct version *version)
{
	stream->snapshot.versions = malloc(sizeof(struct version *));
	if (!stream->snapshot.versions)
		return -ENOMEM;
	stream->snapshot.versions[0] = version_hold(version);
	stream->snapshot.count = 1;
	stream->collected = true;
	return 0;
}

int document_stream_collect(struct document_stream *stream)
{
	int error = stream->begun ? 0 : snapshot_begin(&stream->snapshot, stream->catalog);

	if (error)
		return error;
	stream->begun = true;
	error = snapshot_work(&stream->snapshot, stream->catalog,
			      clock_now() + DOCUMENT_STREAMS_ROUND);
	stream->collected = !error;
	return error;
}

struct document_counts document_stream_counts(const struct document_stream *stream)
{
	return (struct document_counts){
		.count = stream->snapshot.count,
		.hidden = stream->hidden,
		.undecided = stream->undecided,
		.removed = stream->snapshot.removed,
	};
}

void document_stream_free(struct document_stream *stream)
{
	struct document_streams *streams = stream->streams;
	struct document_stream **at = &streams->list;

	while (*at != stream)
		at = &(*at)->next;
	*at = stream->next;
	free(stream->text.bytes);
	rights_clear(&stream->rights);
	stream->next = streams->ended;
	streams->ended = stream;
}

void document_streams_close(struct document_streams *streams)
{
	streams->paused = streams->waiters = NULL;
	free_ended(streams, UINT64_MAX);
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
	struct version *version = stream->snapshot.versions[stream->rendered++];
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
	while (!stream->sent && text->length < PORTION && stream->rendered < stream->snapshot.count)
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
