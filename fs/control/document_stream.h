/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document_stream.h - documents, or columns of them, on their way to a peer
 *
 * A stream collects versions that were current at one moment, in portions, which costs a pointer
 * each, and renders them as they are sent: for a peer that stops reading it keeps the pointers and
 * one portion of text. A version that is replaced meanwhile stays until it is sent, so a stream
 * keeps as many versions as there were mappings when it began, at most. The number of streams is
 * limited, and so is the time of each (connection.h). Used by the request loop alone.
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

/* The time that all streams together may take in a round of the loop. */
#define DOCUMENT_STREAMS_ROUND (CLOCK_SECOND / 1000)

/* The streams of a server; all zero at first. */
struct document_streams {
	struct document_stream *list;
	struct document_stream *ended;         /* whose versions are still to be released */
	struct waiter *waiters, **waiters_end; /* for a stream to end */
	struct waiter *paused, **paused_end;   /* for their turn */
};

/* Whether that user may have another stream of all mappings. */
bool document_streams_have_room(const struct document_streams *streams, uid_t uid);

/* Wakes the waiter when a stream has ended, once. */
void document_streams_wait(struct document_streams *streams, struct waiter *waiter);

/* Wakes the waiter when it is its turn to go on, in a later round of the loop. */
void document_streams_pause(struct document_streams *streams, struct waiter *waiter);

/*
 * To be called in each round of the loop: wakes the next waiter of document_streams_wait, and
 * releases the versions of ended streams. Returns whether there is more to do.
 */
bool document_streams_work(struct document_streams *streams);

/* At the end of the server: wakes nobody, and frees streams that have ended. */
void document_streams_close(struct document_streams *streams);

struct document_stream;

/*
 * A stream of documents, or of the columns in the terms, which are borrowed. Files have `mode`. Of
 * a file that the peer may not read, the stream has only the name. Takes ownership of the rights,
 * also on failure. NULL when memory runs out.
 */
struct document_stream *document_stream_new(struct document_streams *streams,
					    struct catalog *catalog, struct rights *rights,
					    unsigned mode, const struct list_terms *terms);

/* Its only version. Returns 0 or -ENOMEM. */
int document_stream_add(struct document_stream *stream, struct version *version);

/*
 * Collects the versions of the moment of the first call that the terms ask for, as far as there is
 * time in this round of the loop. Returns 0; -EAGAIN: it is to be called again; or -ENOMEM.
 */
int document_stream_collect(struct document_stream *stream);

/* What it has collected, and what of the rest the terms ask for or may ask for. */
struct document_counts {
	size_t count;
	size_t hidden, undecided; /* with a filter */
	uint64_t removed;         /* catalog_removed() at the moment of the versions */
};
struct document_counts document_stream_counts(const struct document_stream *stream);

void document_stream_free(struct document_stream *stream);

/*
 * The text to send next, CONTROL_MAX_BYTES at most; *length is 0 when all has been sent. NULL when
 * memory runs out.
 */
const char *document_stream_text(struct document_stream *stream, size_t *length);

/* Notes that `length` bytes of the text have been sent. */
void document_stream_sent(struct document_stream *stream, size_t length);

#endif
