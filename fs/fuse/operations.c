/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * operations.c - see operations.h
 *
 * A handler decodes a request, calls one function of another module and replies, now or when that
 * function has finished. It neither waits nor decides. Errors are positive errnos in replies and
 * negative ones everywhere else. The kernel holds a lock on the directory from UNLINK, RENAME and
 * CREATE to their replies, so UNLINK and RENAME are limited in time (SHORT_PATIENCE,
 * CLOSE_PATIENCE), and CREATE is answered at once. LOOKUP may be part of an open that creates: see
 * holding.h. Creating and writing files is in create.c, listing in readdir.c.
 */
#define FUSE_USE_VERSION 314
#include "fuse/operations.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/share.h"
#include "catalog/catalog.h"
#include "change/changes.h"
#include "facts/facts_cache.h"
#include "fuse/attributes.h"
#include "fuse/capacity.h"
#include "fuse/create.h"
#include "fuse/filesystem.h"
#include "fuse/interrupts.h"
#include "fuse/lookup_ahead.h"
#include "fuse/readdir.h"
#include "scan/process_table.h"
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATFS_BLOCK 4096 /* bytes of a unit of df */

static struct node *find_node(fuse_req_t req, fuse_ino_t id)
{
	return nodes_find(catalog_nodes(filesystem_of(req)->catalog), id);
}

static void op_init(void *data, struct fuse_conn_info *conn)
{
	struct filesystem *filesystem = data;

	/*
	 * With ATOMIC_O_TRUNC the kernel would set the size to 0 by itself, and be wrong; without
	 * it, it asks first, and is refused (op_setattr).
	 */
	conn->want &= ~(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_SPLICE_READ |
			FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE | FUSE_CAP_FLOCK_LOCKS |
			FUSE_CAP_POSIX_LOCKS);
	conn->want |= conn->capable & (FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_READDIRPLUS |
				       FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_PARALLEL_DIROPS);
	conn->max_write = 128 * 1024;
	filesystem->initialized = true;
}

static void reply_lookup(fuse_req_t req, struct mapping *mapping)
{
	struct filesystem *filesystem = filesystem_of(req);
	struct fuse_entry_param param;

	if (attributes_entry(filesystem, mapping, ENTRY_LOOKED_UP, clock_now(), &param))
		fuse_reply_err(req, ENOMEM);
	else if (fuse_reply_entry(req, &param))
		attributes_forget(filesystem, param.ino, 1);
}

struct lookup_wait {
	struct waiter waiter;
	fuse_req_t req;
	uint64_t since; /* clock_now() when the request came */
	char name[NAME_LENGTH_MAX + 1];
};

static void lookup_end(struct waiter *waiter)
{
	struct lookup_wait *wait = container_of(waiter, struct lookup_wait, waiter);
	struct filesystem *filesystem = filesystem_of(wait->req);
	struct mapping *mapping = catalog_find(filesystem->catalog, wait->name);

	if (mapping && share_is_limited(fuse_req_ctx(wait->req)->uid))
		facts_cache_give_up(filesystem->facts_cache, mapping);
	if (mapping)
		reply_lookup(wait->req, mapping);
	else
		fuse_reply_err(wait->req, ENOENT);
	free(wait);
}

/* False: nothing is waited for, and waiter->wake has not been called. */
static bool wait_for_facts(struct lookup_wait *wait, struct mapping *mapping)
{
	struct filesystem *filesystem = filesystem_of(wait->req);
	struct waiter *begun;
	unsigned more;

	if (!mapping || facts_cache_is_fresh(mapping, clock_now()))
		return false;
	more = lookup_ahead(&filesystem->lookup_ahead, mapping_number(mapping));
	begun = holding_begin(&filesystem->holdings, HOLD_UP_FACTS, fuse_req_ctx(wait->req)->uid,
			      wait->since, &wait->waiter);
	if (!facts_cache_request(filesystem->facts_cache, mapping, more, begun))
		return begun;
	holding_cancel(begun, &wait->waiter);
	return false;
}

/* The process that the name belongs to has been scanned: the facts may have to be read now. */
static void lookup_facts(struct waiter *waiter)
{
	struct lookup_wait *wait = container_of(waiter, struct lookup_wait, waiter);
	struct filesystem *filesystem = filesystem_of(wait->req);

	waiter->wake = lookup_end;
	if (!wait_for_facts(wait, catalog_find(filesystem->catalog, wait->name)))
		lookup_end(waiter);
}

/* The same for a scan of the process. A user who may not wait has all scanned, as often as others.
 */
static bool wait_for_scan(struct lookup_wait *wait)
{
	struct filesystem *filesystem = filesystem_of(wait->req);
	uid_t uid = fuse_req_ctx(wait->req)->uid;
	struct waiter *begun =
		holding_begin(&filesystem->holdings, HOLD_UP_SCAN, uid, wait->since, &wait->waiter);

	if (begun && !process_table_scan_name(filesystem->process_table, uid, wait->name, begun))
		return true;
	if (!begun)
		process_table_scan(filesystem->process_table, uid, NULL);
	holding_cancel(begun, &wait->waiter);
	return false;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct filesystem *filesystem = filesystem_of(req);
	struct lookup_wait *wait;
	struct mapping *mapping;

	if (parent != CATALOG_ROOT || strlen(name) > NAME_LENGTH_MAX) {
		if (parent == CATALOG_ROOT)
			log_of_user(LOG_TOPIC_REQUESTS, fuse_req_ctx(req)->uid, LOG_INFO,
				    "%.40s...: a name of %zu bytes is too long", name,
				    strlen(name));
		fuse_reply_err(req, parent != CATALOG_ROOT ? ENOTDIR : ENAMETOOLONG);
		return;
	}
	mapping = catalog_find(filesystem->catalog, name);
	if (mapping && !mapping_process(mapping) && facts_cache_is_fresh(mapping, clock_now())) {
		reply_lookup(req, mapping);
		return;
	}
	wait = calloc(1, sizeof(*wait));
	if (!wait) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	wait->waiter.wake = lookup_facts;
	wait->req = req;
	wait->since = clock_now();
	memcpy(wait->name, name, strlen(name) + 1);
	if ((mapping && !mapping_process(mapping)) || !wait_for_scan(wait))
		lookup_facts(&wait->waiter);
}

static void op_forget(fuse_req_t req, fuse_ino_t id, uint64_t count)
{
	attributes_forget(filesystem_of(req), id, count);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		attributes_forget(filesystem_of(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

/* Finds the attributes of a node, and how long the kernel may cache them. Returns 0 or -ESTALE. */
static int get_attributes(fuse_req_t req, fuse_ino_t id, struct stat *st, double *timeout)
{
	struct filesystem *filesystem = filesystem_of(req);
	struct node *node = find_node(req, id);

	*timeout = filesystem->settings.timeout;
	if (id == CATALOG_ROOT) {
		attributes_root(filesystem, st);
	} else if (!node) {
		return -ESTALE;
	} else if (node->kind == NODE_VERSION) {
		attributes_version(filesystem, container_of(node, struct version, node), st);
	} else {
		attributes_draft(container_of(node, struct draft, node), st);
		*timeout = 0; /* a draft changes with each write */
	}
	return 0;
}

static void op_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct stat st;
	double timeout;
	int error = get_attributes(req, id, &st, &timeout);

	(void)fi;
	if (error)
		fuse_reply_err(req, -error);
	else
		fuse_reply_attr(req, &st, timeout);
}

static void op_setattr(fuse_req_t req, fuse_ino_t id, struct stat *attr, int to_set,
		       struct fuse_file_info *fi)
{
	struct node *node = find_node(req, id);
	struct stat st;
	double timeout;
	int error = get_attributes(req, id, &st, &timeout);

	if (!error && node && node->kind == NODE_VERSION && to_set & FUSE_SET_ATTR_SIZE) {
		/* An open with O_TRUNC arrives as size 0 without a descriptor. */
		if (!attr->st_size && !fi) {
			create_refuse_write(req, container_of(node, struct version, node));
			return;
		}
		error = -EPERM;
	}
	if (!error)
		error = attributes_check_change(&st, attr, to_set, fuse_req_ctx(req)->uid);
	if (error)
		fuse_reply_err(req, -error);
	else
		fuse_reply_attr(req, &st, timeout);
}

static void op_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	(void)id;
	(void)fi;
	fuse_reply_err(req, ENOSYS); /* from now on the kernel opens without asking */
}

static void op_flush(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	(void)id;
	(void)fi;
	fuse_reply_err(req, ENOSYS); /* from now on it closes without asking */
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
	text = version_document(filesystem_of(req)->catalog,
				container_of(node, struct version, node), &length);
	if (!text)
		fuse_reply_err(req, ENOMEM);
	else if ((size_t)offset >= length)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, text + offset,
			       size < length - (size_t)offset ? size : length - (size_t)offset);
}

struct pending_unlink {
	struct interruptible pending;
	struct change_job *job;
};

static void unlink_end(struct pending_unlink *unlink, int error)
{
	interrupts_end(&unlink->pending);
	fuse_reply_err(unlink->pending.req, error);
	free(unlink);
}

static void unlink_finished(void *arg, int error, const char *why)
{
	(void)why;
	unlink_end(arg, error);
}

/*
 * A process that is being asked to release the mapping is no longer waited for. What the keeper has
 * begun ends soon: then there is no job to withdraw, and its end makes the reply.
 */
static void unlink_give_up(struct interruptible *pending)
{
	struct pending_unlink *unlink = container_of(pending, struct pending_unlink, pending);

	if (!unlink->job)
		return;
	changes_withdraw(unlink->job);
	unlink_end(unlink, EINTR);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct filesystem *filesystem = filesystem_of(req);
	struct mapping *mapping = catalog_find(filesystem->catalog, name);
	struct pending_unlink *unlink;

	(void)parent;
	if (!mapping) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	unlink = calloc(1, sizeof(*unlink));
	if (!unlink) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	unlink->pending.req = req;
	unlink->pending.give_up = unlink_give_up;
	interrupts_begin(&filesystem->interrupts, &unlink->pending);
	changes_unmap(filesystem->changes, mapping, fuse_req_ctx(req)->uid, SHORT_PATIENCE,
		      unlink_finished, unlink, &unlink->job);
}

static void rename_finished(void *arg, int error, const char *why)
{
	(void)why;
	fuse_reply_err(arg, error);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		      const char *new_name, unsigned flags)
{
	struct filesystem *filesystem = filesystem_of(req);
	struct mapping *mapping = catalog_find(filesystem->catalog, name);

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
		changes_rename(filesystem->changes, mapping, new_name, fuse_req_ctx(req)->uid,
			       SHORT_PATIENCE, rename_finished, req);
}

struct statfs_wait {
	struct waiter waiter;
	struct capacity_query query;
	fuse_req_t req;
};

static void reply_statfs(struct capacity_query *query)
{
	struct statfs_wait *wait = container_of(query, struct statfs_wait, query);
	struct filesystem *filesystem = filesystem_of(wait->req);
	struct catalog_totals totals = catalog_totals(filesystem->catalog);
	struct statvfs st = {
		.f_bsize = STATFS_BLOCK,
		.f_frsize = STATFS_BLOCK,
		.f_namemax = NAME_LENGTH_MAX,
	};

	st.f_blocks = query->bytes / STATFS_BLOCK;
	st.f_bfree = st.f_bavail = (query->bytes - query->mapped) / STATFS_BLOCK;
	st.f_files = filesystem->settings.max + totals.foreign;
	if (totals.entries < filesystem->settings.max)
		st.f_ffree = st.f_favail = filesystem->settings.max - totals.entries;
	fuse_reply_statfs(wait->req, &st);
	free(wait);
}

static void statfs_scanned(struct waiter *waiter)
{
	struct statfs_wait *wait = container_of(waiter, struct statfs_wait, waiter);

	if (!capacity_request(filesystem_of(wait->req)->capacity, &wait->query))
		return;
	fuse_reply_err(wait->req, ENOMEM);
	free(wait);
}

/* Counts the mappings after a scan, as a listing does. */
static void op_statfs(fuse_req_t req, fuse_ino_t id)
{
	struct statfs_wait *wait = malloc(sizeof(*wait));

	(void)id;
	if (!wait) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	*wait = (struct statfs_wait){
		.waiter = {.wake = statfs_scanned},
		.query = {.known = reply_statfs},
		.req = req,
	};
	if (process_table_scan(filesystem_of(req)->process_table, fuse_req_ctx(req)->uid,
			       &wait->waiter))
		statfs_scanned(&wait->waiter);
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
	.write = create_write,
	.create = create_file,
	.unlink = op_unlink,
	.rename = op_rename,
	.opendir = readdir_open,
	.releasedir = readdir_release,
	.readdir = readdir_plain,
	.readdirplus = readdir_plus,
	.statfs = op_statfs,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.symlink = op_symlink,
	.link = op_link,
};
