/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * create.c - see create.h
 *
 * Owns what is kept for a WRITE that completes a request: it is answered when the request has been
 * carried out. The drafts themselves are in drafts.c.
 */
#define FUSE_USE_VERSION 314
#include "fuse/create.h"
#include "base/container_of.h"
#include "change/failure.h"
#include "change/mapper.h"
#include "fuse/attributes.h"
#include "fuse/filesystem.h"
#include "fuse/interrupts.h"
#include "fuse/invalidate.h"
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Seconds for which the kernel may use the attributes of a new draft, unless it is written: the
 * open that creates it does not ask for them again.
 */
#define DRAFT_FRESH 0.01

void create_refuse_write(fuse_req_t req, const struct version *version)
{
	char why[COMPLETION_WHY_LENGTH];

	snprintf(why, sizeof(why), "%s: cannot write: it is a mapping already", version->text);
	failure_report(filesystem_of(req)->events, "map", version->text, fuse_req_ctx(req)->uid,
		       EEXIST, why);
	fuse_reply_err(req, EEXIST);
}

/*
 * Whether it is a name of the files that vim (.NAME.swp) and Emacs (#NAME#, .#NAME) keep beside the
 * file that is edited. These are never meant as requests, though their text may be one. If such a
 * file cannot be created, the editor uses another folder or does without; if it could be created
 * but not written, vim would report a failure.
 */
static bool is_editors_file(const char *name)
{
	size_t length = strlen(name);

	if (name[0] == '#')
		return length > 2 && name[length - 1] == '#';
	if (name[0] != '.')
		return false;
	return name[1] == '#' ||
	       (length > strlen("..swp") && !strcmp(name + length - strlen(".swp"), ".swp"));
}

void create_file(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		 struct fuse_file_info *fi)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct filesystem *filesystem = filesystem_of(req);
	struct fuse_entry_param param = {0};
	struct identity *identity;
	struct draft *draft;
	char reason[REQUEST_WHY_LENGTH] = "out of memory", why[COMPLETION_WHY_LENGTH];
	int error;

	(void)mode;
	if (parent != CATALOG_ROOT || strlen(name) > NAME_LENGTH_MAX) {
		fuse_reply_err(req, parent != CATALOG_ROOT ? ENOTDIR : ENAMETOOLONG);
		return;
	}
	if (is_editors_file(name)) {
		fuse_reply_err(req, EPERM);
		return;
	}
	if (catalog_find(filesystem->catalog, name)) {
		fuse_reply_err(req, EEXIST);
		return;
	}
	identity = identity_of_caller(ctx->pid, ctx->uid, ctx->gid);
	error = identity ? drafts_add(filesystem->drafts, name, ctx->uid, ctx->gid, identity,
				      &draft, reason)
			 : -ENOMEM;
	if (error) {
		free(identity);
		snprintf(why, sizeof(why), "%s: cannot create: %s", name, reason);
		failure_report(filesystem->events, "map", name, ctx->uid, -error, why);
		fuse_reply_err(req, -error);
		return;
	}
	if (nodes_lookup(catalog_nodes(filesystem->catalog), &draft->node)) {
		draft_free(filesystem->drafts, draft);
		fuse_reply_err(req, ENOMEM);
		return;
	}
	param.ino = draft->node.id;
	attributes_draft(draft, &param.attr);
	param.attr_timeout = DRAFT_FRESH;
	fi->direct_io = 1; /* or the request could be read back from the page cache */
	if (fuse_reply_create(req, &param, fi))
		attributes_forget(filesystem, param.ino, 1);
}

/* The name no longer leads to the draft: the kernel must forget it. */
static void end_draft(struct filesystem *filesystem, struct draft *draft, int error)
{
	draft_end(filesystem->drafts, draft, error);
	invalidate_soon(filesystem->invalidate, draft->name);
}

/* A WRITE whose answer waits for the request to be carried out. */
struct pending_write {
	struct interruptible pending;
	struct draft *draft;
	struct map_job *job;
	size_t size;
};

static void write_end(struct pending_write *write, int error)
{
	fuse_req_t req = write->pending.req;

	interrupts_end(&write->pending);
	end_draft(filesystem_of(req), write->draft, error);
	if (error)
		fuse_reply_err(req, error);
	else
		fuse_reply_write(req, write->size);
	free(write);
}

static void write_finished(void *arg, int error, const char *why)
{
	(void)why;
	write_end(arg, error);
}

static void write_give_up(struct interruptible *pending)
{
	struct pending_write *write = container_of(pending, struct pending_write, pending);

	mapper_abandon(write->job);
	write_end(write, EINTR);
}

static void report_request(struct filesystem *filesystem, const struct draft *draft, int error,
			   const char *reason)
{
	char why[COMPLETION_WHY_LENGTH];

	snprintf(why, sizeof(why), "%s: bad request: %s", draft->name, reason);
	failure_report(filesystem->events, "map", draft->name, draft->uid, error, why);
}

void create_expired(void *arg, const struct draft *draft)
{
	struct filesystem *filesystem = arg;

	report_request(filesystem, draft, ETIMEDOUT,
		       draft->scan.seen ? "it was never finished" : "nothing was ever written");
	invalidate_soon(filesystem->invalidate, draft->name);
}

/* The request is complete: the reply waits until it has been carried out. */
static void carry_out_draft(fuse_req_t req, struct draft *draft, size_t size)
{
	struct filesystem *filesystem = filesystem_of(req);
	struct identity *identity = draft->identity;
	struct pending_write *write;
	struct request request;
	char why[REQUEST_WHY_LENGTH];
	int error;

	error = request_parse(draft->text, draft->scan.seen, &request, why);
	if (error) {
		report_request(filesystem, draft, -error, why);
		end_draft(filesystem, draft, -error);
		fuse_reply_err(req, -error);
		return;
	}
	write = calloc(1, sizeof(*write));
	if (!write) {
		request_clear(&request);
		end_draft(filesystem, draft, ENOMEM);
		fuse_reply_err(req, ENOMEM);
		return;
	}
	write->pending.req = req;
	write->pending.give_up = write_give_up;
	write->draft = draft;
	write->size = size;
	draft->identity = NULL;
	interrupts_begin(&filesystem->interrupts, &write->pending);
	mapper_map(filesystem->mapper, draft->name, &request, draft->uid, draft->gid, identity, -1,
		   0, write_finished, write, &write->job);
}

void create_write(fuse_req_t req, fuse_ino_t id, const char *text, size_t size, off_t offset,
		  struct fuse_file_info *fi)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct filesystem *filesystem = filesystem_of(req);
	struct node *node = nodes_find(catalog_nodes(filesystem->catalog), id);
	struct draft *draft = container_of(node, struct draft, node);
	char why[REQUEST_WHY_LENGTH];
	bool open;
	int result;

	(void)fi;
	if (!node) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	if (node->kind == NODE_VERSION) {
		create_refuse_write(req, container_of(node, struct version, node));
		return;
	}
	open = draft->state == DRAFT_OPEN;
	result = draft_write(filesystem->drafts, draft, ctx->uid, ctx->gid, (uint64_t)offset, text,
			     size, why);
	if (result > 0) {
		carry_out_draft(req, draft, size);
	} else if (result < 0) {
		if (open) { /* once per request */
			report_request(filesystem, draft, -result, why);
			invalidate_soon(filesystem->invalidate, draft->name);
		}
		fuse_reply_err(req, -result);
	} else {
		fuse_reply_write(req, size);
	}
}
