/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document_stream.h - documents, or columns of them, on their way to a peer
 *
 * A stream holds versions that were current at one moment, which costs a pointer each, and renders
 * them as they are sent: for a peer that stops reading it keeps the pointers and one portion of
 * text. A version that is replaced meanwhile stays until it is sent, so a stream keeps as many
 * versions as there were mappings when it began, at most. The number of streams is limited, and so
 * is the time of each (connection.h). Used by the request loop alone.
 */
#ifndef PMEM2FS_CONTROL_DOCUMENT_STREAM_H
#define PMEM2FS_CONTROL_DOCUMENT_STREAM_H

#include "base/share.h"
#include "base/waiter.h"
#include "catalog/catalog.h"
#include "control/list_terms.h"
#include "control/rights.h"
#include <stdbool.h>
#include <stddef.h>

/* How many streams of several mappings there may be: each of 30 users is sure of one. */
extern const struct share document_streams_share;

/* The streams of a server; all zero at first. */
struct document_streams {
	struct document_stream *list;
	struct waiter *waiters, **waiters_end; /* for a stream to end */
};

/* Whether that user may have another stream of all mappings. */
bool document_streams_have_room(const struct document_streams *streams, uid_t uid);

/* Wakes the waiter when a stream has ended, once. */
void document_streams_wait(struct document_streams *streams, struct waiter *waiter);

struct document_stream;

/*
 * A stream of the documents of these versions, or of the columns in the terms, which are borrowed.
 * Files have `mode`. Of a file that the peer may not read, the stream has only the name. Takes
 * ownership of the rights, the array and the caller's hold on each version, also on failure. NULL
 * when memory runs out.
 */
struct document_stream *document_stream_new(struct document_streams *streams,
					    struct catalog *catalog, struct rights *rights,
					    unsigned mode, const struct list_terms *terms,
					    struct version **versions, size_t count);
void document_stream_free(struct document_stream *stream);

/*
 * The text to send next, CONTROL_MAX_BYTES at most; *length is 0 when all has been sent. NULL when
 * memory runs out.
 */
const char *document_stream_text(struct document_stream *stream, size_t *length);

/* Notes that `length` bytes of the text have been sent. */
void document_stream_sent(struct document_stream *stream, size_t length);

#endif
