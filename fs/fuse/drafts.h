/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drafts.h - requests that are being written
 *
 * A draft is a file that was created and does not show yet. It takes no name; whoever created it is
 * the only one who may write it. It ends by being complete, by an error, or by nobody writing for
 * DRAFT_SECONDS; then only the node is left, until the kernel forgets it. Knows nothing of FUSE.
 */
#ifndef PMEM2FS_FUSE_DRAFTS_H
#define PMEM2FS_FUSE_DRAFTS_H

#include "catalog/nodes.h"
#include "host/identity.h"
#include "protocol/request.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DRAFT_SECONDS   10
#define DRAFTS_MAX      4096 /* open ones */
#define DRAFTS_PER_USER 256

enum draft_state {
	DRAFT_OPEN,
	DRAFT_RUNNING, /* complete, being carried out */
	DRAFT_DONE,    /* carried out */
	DRAFT_DEAD,    /* failed or given up: `error` says why */
};

struct draft {
	struct node node;           /* first: a node id leads here */
	struct draft *next, **link; /* of those that are open */
	enum draft_state state;
	int error; /* positive errno */
	uid_t uid;
	gid_t gid;
	struct identity *identity; /* until the draft is carried out */
	struct request_scan scan;
	char *text;
	size_t room;
	uint64_t touched; /* clock_now() of the last write */
	char name[];
};

struct drafts;

struct drafts *drafts_new(void);
void drafts_free(struct drafts *drafts);

/*
 * A new open draft; `identity` belongs to it then. Returns 0, -ENFILE (too many) or -ENOMEM.
 */
int drafts_add(struct drafts *drafts, const char *name, uid_t uid, gid_t gid,
	       struct identity *identity, struct draft **draft);

/*
 * Adds what `uid` and `gid` wrote at `offset`. Returns 1 when the request is complete (its text is
 * draft->text, draft->scan.seen bytes), 0 when more is to come or only white space came behind
 * it, or a negative errno with the reason in `why` (REQUEST_WHY_LENGTH), after which an open
 * draft is dead.
 */
int draft_write(struct drafts *drafts, struct draft *draft, uid_t uid, gid_t gid, uint64_t offset,
		const char *text, size_t length, char *why);

/* An open or running draft ends: done (0), or dead with a positive errno. */
void draft_end(struct drafts *drafts, struct draft *draft, int error);

/*
 * Ends each open draft that nobody has written for long, after calling `expired` for it. Returns
 * when the next one is due, UINT64_MAX for never.
 */
uint64_t drafts_expire(struct drafts *drafts, uint64_t now,
		       void (*expired)(void *arg, const struct draft *draft), void *arg);

/* Frees a draft that nodes_forget has said nobody needs. */
void draft_free(struct drafts *drafts, struct draft *draft);

#endif
