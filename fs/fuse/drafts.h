/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drafts.h - requests that are being written
 *
 * A draft is a file that was created and is not shown. It reserves no name, and only the user who
 * created it may write it. It ends when the request has been carried out, by an error, or when
 * nothing was written for DRAFT_SECONDS; its node is left until the kernel forgets it. Owns the
 * drafts; knows nothing of FUSE.
 */
#ifndef PMEM2FS_FUSE_DRAFTS_H
#define PMEM2FS_FUSE_DRAFTS_H

#include "base/share.h"
#include "catalog/nodes.h"
#include "host/identity.h"
#include "protocol/request.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DRAFT_SECONDS 10

/* How many may be open: each of 480 users is sure of four. */
extern const struct share drafts_share;

enum draft_state {
	DRAFT_OPEN,
	DRAFT_RUNNING, /* complete, being carried out */
	DRAFT_DONE,    /* carried out */
	DRAFT_DEAD,    /* failed or given up: `error` says why */
};

struct draft {
	struct node node;           /* a node id leads here */
	struct draft *next, **link; /* of those that are open; link is NULL for others */
	enum draft_state state;
	int error; /* positive errno */
	uid_t uid;
	gid_t gid;
	struct identity *identity; /* until the draft is carried out */
	struct request_scan scan;
	char *text;
	size_t room;
	uint64_t touched; /* clock_now() of the last write or, before any, of the creation */
	uint64_t written; /* the same time by CLOCK_REALTIME, ns */
	char name[];
};

struct drafts;

struct drafts *drafts_new(void);
void drafts_free(struct drafts *drafts);

/*
 * A new open draft. Takes ownership of `identity` unless that fails. Returns 0, or -ENFILE (the
 * user may have no more) or -ENOMEM, with the reason in `why` (REQUEST_WHY_LENGTH).
 */
int drafts_add(struct drafts *drafts, const char *name, uid_t uid, gid_t gid,
	       struct identity *identity, struct draft **draft, char *why);

/*
 * Adds what `uid` and `gid` wrote at `offset`. Returns 1 when this write has completed the request
 * (its text is draft->text, draft->scan.seen bytes), 0 when more is to come or when white space was
 * written to a draft that was carried out, or a negative errno with the reason in `why`
 * (REQUEST_WHY_LENGTH), after which an open draft is dead.
 */
int draft_write(struct drafts *drafts, struct draft *draft, uid_t uid, gid_t gid, uint64_t offset,
		const char *text, size_t length, char *why);

/* Ends an open or running draft: it is done (0), or dead with a positive errno. */
void draft_end(struct drafts *drafts, struct draft *draft, int error);

/*
 * Ends each open draft that was not written for DRAFT_SECONDS, after calling `expired` for it.
 * Returns when the next one is due, UINT64_MAX for never.
 */
uint64_t drafts_expire(struct drafts *drafts, uint64_t now,
		       void (*expired)(void *arg, const struct draft *draft), void *arg);

/* Frees a draft after nodes_forget has reported that it is not needed. */
void draft_free(struct drafts *drafts, struct draft *draft);

#endif
