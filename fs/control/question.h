/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * question.h - one question of control.h, and its answer
 *
 * Knows nothing of connections and packets: a connection embeds a struct question, which serves one
 * question after the other.
 */
#ifndef PMEM2FS_CONTROL_QUESTION_H
#define PMEM2FS_CONTROL_QUESTION_H

#include "base/thread_pool.h"
#include "base/time_quota.h"
#include "base/waiter.h"
#include "catalog/events.h"
#include "control/list_terms.h"
#include "scan/user_scans.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct document_stream;

/* What the questions need of the worker; all of it outlives them. */
struct question_means {
	const struct mapper *mapper;
	const struct changes *changes;
	struct catalog *catalog;
	struct events *events;
	struct facts_cache *facts_cache;
	struct process_table *process_table;
	struct receivers *receivers; /* close what users have given */
	struct quota *loop_time;     /* of all users */
	struct invalidate *invalidate;
	const char *mountpoint; /* where the file system was mounted at the start */
	dev_t dev;              /* device number of the mount */
	struct pool *pool;      /* with `lane`: finds out where the file system is mounted now */
	unsigned lane;
	unsigned mode, rootmode; /* permissions of the files and of the root directory */
};

/* What a question for documents has besides; see document_question.h. */
struct document_question {
	struct waiter waiter;
	void (*step)(struct waiter *waiter); /* what is done when the waiter is woken */
	char *name;                          /* owned; of one mapping; NULL: several */
	struct list_terms terms;             /* owned; of several mappings */
	uint64_t begun;                      /* clock_now() when it was asked */
	uint64_t number; /* the last mapping of this pass whose facts have been asked for */
	bool waits;      /* for facts */
	bool waited;     /* the same, before: mappings up to `number` may have changed since */
	bool second;     /* it is the second pass over all mappings */
	bool late;       /* facts did not come in time: it waits for no others */
	bool answered;   /* and `stream` is being sent */
	struct document_stream *stream; /* owned; being collected, then sent behind the answer */
};

struct question {
	/* Set by the connection. */
	const struct question_means *means;
	struct document_streams *streams;
	struct ucred peer;            /* who asks, as the kernel says */
	int socket;                   /* through which it is asked */
	struct subscriber subscriber; /* for events, through the same socket */
	/* Called once for each question. Takes ownership of `message`, NULL when memory ran out. */
	void (*answer)(struct question *question, json_t *message);

	/* Of the question that is being carried out; NULL where it is of another kind. */
	struct map_job *map_job;       /* a mapping that is being made */
	struct change_job *change_job; /* a mapping that another process is asked to release */
	char *name;                    /* of the mapping that is being unmapped */
	struct user_scan scan;
	bool complete;         /* result of `scan` */
	struct waiter dropped; /* the kernel has dropped what the scan has found gone */
	struct document_question documents;
	struct task hello;
	int hello_error;  /* of `hello`, negative errno */
	char *mountpoint; /* result of `hello`; NULL: it is mounted nowhere */

	/* Of the peer, for all its questions. */
	bool abandoned;   /* the peer has gone */
	bool subscribed;  /* to events; then no documents are sent, which events would interrupt */
	bool looked;      /* a look ({"look": 1}) has begun */
	uint64_t removed; /* catalog_removed() when the last look began */
};

/*
 * Whether the mode of the root directory gives the peer the permissions in `want` (bits of
 * S_IRWXO), by the kernel's rules.
 */
bool question_may_use_root(const struct question *question, unsigned want);

/* Answers 0, or a positive errno with the reason. */
void question_answer(struct question *question, int error, const char *why);

#endif
