/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * operations.c - see operations.h
 *
 * Decodes a request, calls one function of another module and replies, now or when that function
 * is done. Nothing here waits and nothing here decides. The kernel holds a lock on the
 * directory from UNLINK, RENAME and CREATE to their replies, so those three are limited in time
 * (RESPITE).
 */
#define FUSE_USE_VERSION 314
#include "operations.h"
#include "attributes.h"
#include "clock.h"
#include "listing.h"
#include "log.h"
#include "mapper.h"
#include "namespace.h"
#include "notify.h"
#include "pool.h"
#include "witness.h"
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESPITE      (CLOCK_SECOND * 3 / 10)
#define STATFS_BLOCK 4096 /* bytes of a unit of df */
#define LOOKUP_AHEAD 64   /* how many neighbours are looked at along with a mapping */

static struct service *service_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static struct node *find_node(fuse_req_t req, fuse_ino_t id)
{
	return nodes_find(namespace_nodes(service_of(req)->names), id);
}

static void op_init(void *data, struct fuse_conn_info *conn)
{
	struct service *service = data;

	/* A size that the kernel sets to 0 by itself would have to be asked back: have it asked
	 * first. */
	conn->want &= ~(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_SPLICE_READ |
			FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE | FUSE_CAP_FLOCK_LOCKS |
			FUSE_CAP_POSIX_LOCKS);
	conn->want |= conn->capable & (FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_READDIRPLUS |
				       FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_PARALLEL_DIROPS);
	conn->max_write = 128 * 1024;
	service->initialized = true;
}

static void reply_lookup(fuse_req_t req, struct mapping *mapping)
{
	struct fuse_entry_param param;

	if (attributes_entry(service_of(req), mapping, clock_now(), &param))
		fuse_reply_err(req, ENOMEM);
	else if (fuse_reply_entry(req, &param))
		attributes_forget(service_of(req), param.ino, 1);
}

struct lookup_wait {
	struct waiter waiter; /* first */
	fuse_req_t req;
	char name[NAME_LENGTH_MAX + 1];
};

static void lookup_ready(struct waiter *waiter)
{
	struct lookup_wait *wait = (struct lookup_wait *)waiter;
	struct mapping *mapping = namespace_find(service_of(wait->req)->names, wait->name);

	if (mapping)
		reply_lookup(wait->req, mapping);
	else
		fuse_reply_err(wait->req, ENOENT);
	free(wait);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct service *service = service_of(req);
	struct lookup_wait *wait;
	struct mapping *mapping;

	if (parent != NAMESPACE_ROOT || strlen(name) > NAME_LENGTH_MAX) {
		if (parent == NAMESPACE_ROOT)
			log_info("%.40s...: a name of %zu bytes is too long", name, strlen(name));
		fuse_reply_err(req, parent != NAMESPACE_ROOT ? ENOTDIR : ENAMETOOLONG);
		return;
	}
	mapping = namespace_find(service->names, name);
	if (!mapping) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	if (witness_is_fresh(mapping, clock_now())) {
		reply_lookup(req, mapping);
		return;
	}
	wait = calloc(1, sizeof(*wait));
	if (wait) {
		wait->waiter.wake = lookup_ready;
		wait->req = req;
		memcpy(wait->name, name, strlen(name) + 1);
		if (!witness_ask(service->witness, mapping, LOOKUP_AHEAD, &wait->waiter))
			return;
		free(wait);
	}
	fuse_reply_err(req, ENOMEM);
}

static void op_forget(fuse_req_t req, fuse_ino_t id, uint64_t count)
{
	attributes_forget(service_of(req), id, count);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		attributes_forget(service_of(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct service *service = service_of(req);
	struct node *node = find_node(req, id);
	struct stat st;

	(void)fi;
	if (id == NAMESPACE_ROOT)
		attributes_root(service, &st);
	else if (!node) {
		fuse_reply_err(req, ESTALE);
		return;
	} else if (node->kind == NODE_VERSION)
		attributes_version(service, (struct version *)node, &st);
	else
		attributes_draft((struct draft *)node, &st);
	/* A draft changes with each write; the others tell when they change. */
	fuse_reply_attr(req, &st, node && node->kind == NODE_DRAFT ? 0 : service->options->timeout);
}

static void refuse_existing(struct service *service, const struct version *version, uid_t uid)
{
	char why[MAPPER_WHY_LENGTH];

	snprintf(why, sizeof(why), "%s: cannot write: it is a mapping already", version->text);
	mapper_failed(service, "map", version->text, uid, EEXIST, why);
}

static void op_setattr(fuse_req_t req, fuse_ino_t id, struct stat *attr, int to_set,
		       struct fuse_file_info *fi)
{
	struct node *node = find_node(req, id);
	struct stat st;

	if (node && node->kind == NODE_DRAFT) { /* cp and the like set times and mode: let them */
		attributes_draft((struct draft *)node, &st);
		fuse_reply_attr(req, &st, 0);
		return;
	}
	/* To nothing and without a descriptor: that is how an open with O_TRUNC arrives. */
	if (to_set & FUSE_SET_ATTR_SIZE && !attr->st_size && !fi && node) {
		refuse_existing(service_of(req), (struct version *)node, fuse_req_ctx(req)->uid);
		fuse_reply_err(req, EEXIST);
		return;
	}
	fuse_reply_err(req, EPERM);
}

static void op_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	(void)id;
	(void)fi;
	fuse_reply_err(req, ENOSYS); /* opens need no asking from now on */
}

static void op_flush(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	(void)id;
	(void)fi;
	fuse_reply_err(req, ENOSYS); /* nor do closes */
}

static void op_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	struct node *node = find_node(req, id);
	const char *text;
	size_t length;

	(void)fi;
	if (!node) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	if (node->kind == NODE_DRAFT) { /* a request cannot be read back */
		fuse_reply_buf(req, NULL, 0);
		return;
	}
	text = version_document(service_of(req)->names, (struct version *)node, &length);
	if (!text)
		fuse_reply_err(req, ENOMEM);
	else if ((size_t)offset >= length)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, text + offset,
			       size < length - (size_t)offset ? size : length - (size_t)offset);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct service *service = service_of(req);
	struct fuse_entry_param param = {0};
	struct identity *identity;
	struct draft *draft;
	int error;

	(void)mode;
	if (parent != NAMESPACE_ROOT || strlen(name) > NAME_LENGTH_MAX) {
		fuse_reply_err(req, parent != NAMESPACE_ROOT ? ENOTDIR : ENAMETOOLONG);
		return;
	}
	if (namespace_find(service->names, name)) {
		fuse_reply_err(req, EEXIST);
		return;
	}
	identity = identity_of_caller(ctx->pid, ctx->uid, ctx->gid);
	error = identity ? drafts_add(service->drafts, name, ctx->uid, ctx->gid, identity, &draft)
			 : -ENOMEM;
	if (error) {
		free(identity);
		fuse_reply_err(req, -error);
		return;
	}
	if (nodes_lookup(namespace_nodes(service->names), &draft->node)) {
		draft_free(service->drafts, draft);
		fuse_reply_err(req, ENOMEM);
		return;
	}
	param.ino = draft->node.id;
	attributes_draft(draft, &param.attr);
	fi->direct_io = 1; /* else the request would be read back from the page cache */
	if (fuse_reply_create(req, &param, fi))
		attributes_forget(service, param.ino, 1);
}

/* The name does not lead to the draft any more: the kernel is to forget it, and so are we. */
static void end_draft(struct service *service, struct draft *draft, int error)
{
	draft_end(service->drafts, draft, error);
	notify_name(service, draft->name);
}

/* A WRITE whose answer waits for the request to be carried out. */
struct pending_write {
	struct pending_write *next, **link; /* of the service */
	fuse_req_t req;
	struct draft *draft;
	struct map_job *job;
	size_t size;
	bool interrupted;
};

static void write_end(struct pending_write *write, int error)
{
	struct service *service = service_of(write->req);

	*write->link = write->next;
	if (write->next)
		write->next->link = write->link;
	end_draft(service, write->draft, error);
	if (error)
		fuse_reply_err(write->req, error);
	else
		fuse_reply_write(write->req, write->size);
	free(write);
}

static void write_finished(void *arg, int error, const char *why)
{
	(void)why;
	write_end(arg, error);
}

/* libfuse holds locks here: only take note. */
static void write_interrupted(fuse_req_t req, void *data)
{
	struct pending_write *write = data;

	write->interrupted = true;
	service_of(req)->interrupted = true;
}

void operations_interrupts(struct service *service)
{
	struct pending_write *write, *next;

	if (!service->interrupted)
		return;
	service->interrupted = false;
	for (write = service->writes; write; write = next) {
		next = write->next;
		if (!write->interrupted)
			continue;
		mapper_abandon(write->job);
		write_end(write, EINTR);
	}
}

static void report_request(struct service *service, const struct draft *draft, int error,
			   const char *reason)
{
	char why[MAPPER_WHY_LENGTH];

	snprintf(why, sizeof(why), "%s: bad request: %s", draft->name, reason);
	mapper_failed(service, "map", draft->name, draft->uid, error, why);
}

void operations_expired(void *arg, const struct draft *draft)
{
	struct service *service = arg;

	report_request(service, draft, ETIMEDOUT,
		       draft->scan.seen ? "it was never finished" : "nothing was ever written");
	notify_name(service, draft->name);
}

/* The request is complete: the reply waits for what comes of it. */
static void carry_out(fuse_req_t req, struct draft *draft, size_t size)
{
	struct service *service = service_of(req);
	struct identity *identity = draft->identity;
	struct pending_write *write;
	struct request request;
	char why[REQUEST_WHY_LENGTH];
	int error;

	error = request_parse(draft->text, draft->scan.seen, &request, why);
	if (error) {
		report_request(service, draft, -error, why);
		end_draft(service, draft, -error);
		fuse_reply_err(req, -error);
		return;
	}
	write = calloc(1, sizeof(*write));
	if (!write) {
		request_clear(&request);
		end_draft(service, draft, ENOMEM);
		fuse_reply_err(req, ENOMEM);
		return;
	}
	write->req = req;
	write->draft = draft;
	write->size = size;
	write->next = service->writes;
	write->link = &service->writes;
	if (write->next)
		write->next->link = &write->next;
	service->writes = write;
	draft->identity = NULL;
	fuse_req_interrupt_func(req, write_interrupted, write);
	mapper_map(service, draft->name, &request, draft->uid, draft->gid, identity, -1, 0,
		   write_finished, write, &write->job);
}

static void op_write(fuse_req_t req, fuse_ino_t id, const char *text, size_t size, off_t offset,
		     struct fuse_file_info *fi)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct service *service = service_of(req);
	struct node *node = find_node(req, id);
	struct draft *draft = (struct draft *)node;
	char why[REQUEST_WHY_LENGTH];
	bool open;
	int result;

	(void)fi;
	if (!node) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	if (node->kind == NODE_VERSION) {
		refuse_existing(service, (struct version *)node, ctx->uid);
		fuse_reply_err(req, EEXIST);
		return;
	}
	open = draft->state == DRAFT_OPEN;
	result = draft_write(service->drafts, draft, ctx->uid, ctx->gid, (uint64_t)offset, text,
			     size, why);
	if (result > 0) {
		carry_out(req, draft, size);
	} else if (result < 0) {
		if (open) { /* once per request */
			report_request(service, draft, -result, why);
			notify_name(service, draft->name);
		}
		fuse_reply_err(req, -result);
	} else {
		fuse_reply_write(req, size);
	}
}

static void change_finished(void *arg, int error, const char *why)
{
	(void)why;
	fuse_reply_err(arg, error);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct service *service = service_of(req);
	struct mapping *mapping = namespace_find(service->names, name);

	(void)parent;
	if (mapping)
		mapper_unmap(service, mapping, fuse_req_ctx(req)->uid, RESPITE, change_finished,
			     req);
	else
		fuse_reply_err(req, ENOENT);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		      const char *new_name, unsigned flags)
{
	struct service *service = service_of(req);
	struct mapping *mapping = namespace_find(service->names, name);

	(void)parent;
	(void)new_parent;
	if (!mapping)
		fuse_reply_err(req, ENOENT);
	else if (strlen(new_name) > NAME_LENGTH_MAX)
		fuse_reply_err(req, ENAMETOOLONG);
	else if (flags & ~(unsigned)RENAME_NOREPLACE)
		fuse_reply_err(req, EINVAL);
	else if (!strcmp(name, new_name))
		fuse_reply_err(req, 0);
	else
		mapper_rename(service, mapping, new_name, fuse_req_ctx(req)->uid, RESPITE,
			      change_finished, req);
}

/* Answered, since a kernel that need not ask caches listings and never sees what is new. */
static void op_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	if (id == NAMESPACE_ROOT)
		fuse_reply_open(req, fi);
	else
		fuse_reply_err(req, ENOTDIR);
}

static void reply_statfs(fuse_req_t req)
{
	struct service *service = service_of(req);
	struct namespace_totals totals = namespace_totals(service->names);
	uint64_t mapped = totals.pmem_bytes;
	struct statvfs st = {
		.f_bsize = STATFS_BLOCK,
		.f_frsize = STATFS_BLOCK,
		.f_namemax = NAME_LENGTH_MAX,
	};

	if (mapped > service->capacity) /* what is mapped twice is used once */
		mapped = service->capacity;
	st.f_blocks = service->capacity / STATFS_BLOCK;
	st.f_bfree = st.f_bavail = (service->capacity - mapped) / STATFS_BLOCK;
	st.f_files = service->options->max + totals.foreign;
	if (totals.entries < service->options->max)
		st.f_ffree = st.f_favail = service->options->max - totals.entries;
	fuse_reply_statfs(req, &st);
}

struct capacity_task {
	struct task task; /* first */
	fuse_req_t req;
	uint64_t bytes;
};

static void look_at_capacity(struct task *task)
{
	if (pmem2fs_host_capacity(&((struct capacity_task *)task)->bytes))
		((struct capacity_task *)task)->bytes = 0;
}

static void capacity_known(struct task *task)
{
	struct capacity_task *capacity = (struct capacity_task *)task;
	struct service *service = service_of(capacity->req);

	service->capacity = capacity->bytes;
	service->capacity_checked = clock_now();
	reply_statfs(capacity->req);
	free(capacity);
}

static void op_statfs(fuse_req_t req, fuse_ino_t id)
{
	struct service *service = service_of(req);
	struct capacity_task *capacity;

	(void)id;
	if (service->capacity_checked && clock_now() - service->capacity_checked < WITNESS_FRESH) {
		reply_statfs(req);
		return;
	}
	capacity = calloc(1, sizeof(*capacity));
	if (capacity) {
		capacity->req = req;
		capacity->task = (struct task){
			.lane = LANE_CAPACITY, .run = look_at_capacity, .done = capacity_known};
		if (!pool_submit(service->helpers, &capacity->task))
			return;
		free(capacity);
	}
	fuse_reply_err(req, ENOMEM);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
	(void)parent;
	(void)name;
	(void)mode;
	(void)dev;
	fuse_reply_err(req, EPERM);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)parent;
	(void)name;
	(void)mode;
	fuse_reply_err(req, EPERM);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target;
	(void)parent;
	(void)name;
	fuse_reply_err(req, EPERM);
}

static void op_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t parent, const char *name)
{
	(void)id;
	(void)parent;
	(void)name;
	fuse_reply_err(req, EPERM);
}

const struct fuse_lowlevel_ops operations = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.open = op_open,
	.flush = op_flush,
	.read = op_read,
	.write = op_write,
	.create = op_create,
	.unlink = op_unlink,
	.rename = op_rename,
	.opendir = op_opendir,
	.readdir = listing_readdir,
	.readdirplus = listing_readdirplus,
	.statfs = op_statfs,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.symlink = op_symlink,
	.link = op_link,
};
