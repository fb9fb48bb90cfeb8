/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * readdir.c - see readdir.h
 *
 * Owns the buffer that listings are written to and the directories that are open, which are kept in
 * struct filesystem. The begin of a listing waits for a scan of all processes, however long that
 * takes: it keeps those out who create and remove, but is made only once for all who wait.
 * READDIRPLUS waits for facts that are out of date, and for another scan where the last one is,
 * that of users for a limited time (holding.h), and the first part of a list for a short time. An
 * entry whose facts are not known by then has no attributes: the kernel looks it up when it needs
 * them. The kernel asks for attributes in the first part of every listing, and then only of those
 * who use them.
 */
#define FUSE_USE_VERSION 314
#include "fuse/readdir.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "catalog/catalog.h"
#include "facts/facts_cache.h"
#include "fuse/attributes.h"
#include "fuse/filesystem.h"
#include "scan/process_table.h"
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>

#define AHEAD          1024 /* how many mappings' facts are read along with one's */
#define ENTRY_MIN      160  /* bytes of an entry with attributes, and of its name, at least */
#define FIRST          16   /* mappings in the first part of a list of many */
#define COOKIE_DOT     1
#define COOKIE_DOT_DOT 2

/* An open directory. A listing of it ends, however many mappings are made meanwhile. */
struct open_directory {
	LIST_ENTRY(open_directory) others;
	uint64_t newest; /* number of the newest mapping when the listing began; it ends there */
};

/* A part of a listing that is being made. */
struct listing {
	struct waiter waiter;
	fuse_req_t req;
	uint64_t since; /* clock_now() when the request came */
	struct open_directory *directory;
	char *buffer;
	size_t size, used;
	uint64_t begin;  /* cookie of the last entry before it; 0: there is none */
	uint64_t cookie; /* of the last one that is in */
	bool plus;       /* with attributes */
	/* What was waited for, once at most: */
	bool scanned; /* a scan of all processes */
	bool checked; /* facts that were out of date */
	bool hurried; /* no more is waited for: what is known is listed */
};

/* False: there is no room for the entry. */
static bool listing_add(struct listing *listing, const char *name, uint64_t cookie,
			const struct fuse_entry_param *param)
{
	char *at = listing->buffer + listing->used;
	size_t room = listing->size - listing->used, need;

	if (listing->plus)
		need = fuse_add_direntry_plus(listing->req, at, room, name, param, (off_t)cookie);
	else
		need = fuse_add_direntry(listing->req, at, room, name, &param->attr, (off_t)cookie);
	if (need > room)
		return false;
	listing->used += need;
	listing->cookie = cookie;
	return true;
}

static bool listing_add_plain(struct listing *listing, const char *name, uint64_t cookie,
			      uint64_t number, mode_t mode)
{
	const struct fuse_entry_param param = {.attr = {.st_ino = number, .st_mode = mode}};

	return listing_add(listing, name, cookie, &param);
}

static bool listing_add_mapping(struct listing *listing, struct mapping *mapping, uint64_t now)
{
	struct filesystem *filesystem = filesystem_of(listing->req);
	struct fuse_entry_param param;

	/* Without attributes the kernel looks the entry up when it needs them. */
	if (!listing->plus || !facts_cache_is_fresh(mapping, now) ||
	    attributes_entry(filesystem, mapping, ENTRY_LISTED, now, &param))
		return listing_add_plain(listing, mapping_name(mapping), mapping_number(mapping),
					 mapping_number(mapping), S_IFREG);
	if (listing_add(listing, mapping_name(mapping), mapping_number(mapping), &param))
		return true;
	attributes_forget(filesystem, param.ino, 1);
	return false;
}

static void listing_reply(struct listing *listing)
{
	fuse_reply_buf(listing->req, listing->buffer, listing->used);
	free(listing);
}

static void listing_fill(struct listing *listing);

static void listing_ready(struct waiter *waiter)
{
	listing_fill(container_of(waiter, struct listing, waiter));
}

static struct waiter *hold(struct listing *listing, enum hold_up_kind kind)
{
	return holding_begin(&filesystem_of(listing->req)->holdings, kind,
			     fuse_req_ctx(listing->req)->uid, listing->since, &listing->waiter);
}

/*
 * How many mappings this part of a list may hold. The kernel wants attributes in the first part of
 * each list, whether they are used or not. So the first part is short, unless it can hold all
 * mappings: a program that uses the attributes then needs no second part.
 */
static size_t most_mappings(const struct listing *listing)
{
	struct catalog_totals totals = catalog_totals(filesystem_of(listing->req)->catalog);
	size_t fit = listing->size / ENTRY_MIN + 1;

	if (listing->begin || !listing->plus)
		return SIZE_MAX;
	return totals.entries + totals.foreign <= fit || fit < FIRST ? fit : FIRST;
}

/*
 * Nothing is waited for if they return false; waiter->wake has not been called then. Mappings of
 * many processes may follow: one scan is made for all of them.
 */
static bool wait_for_scan(struct listing *listing)
{
	struct waiter *begun = hold(listing, HOLD_UP_SCAN);

	listing->scanned = true;
	if (begun && !process_table_scan(filesystem_of(listing->req)->process_table,
					 fuse_req_ctx(listing->req)->uid, begun))
		return true;
	holding_cancel(begun, &listing->waiter);
	return false;
}

static bool wait_for_facts(struct listing *listing, struct mapping *mapping)
{
	struct filesystem *filesystem = filesystem_of(listing->req);
	unsigned more = listing->begin ? AHEAD : (unsigned)most_mappings(listing);
	struct waiter *begun;

	/* Of the first part only names may be wanted, and facts may not come soon. */
	if (listing->begin)
		begun = hold(listing, HOLD_UP_FACTS);
	else
		begun = holding_begin_short(&filesystem->holdings, HOLD_UP_FACTS,
					    fuse_req_ctx(listing->req)->uid, &listing->waiter);
	listing->checked = true;
	if (!facts_cache_request(filesystem->facts_cache, mapping, more, begun))
		return begun;
	holding_cancel(begun, &listing->waiter);
	return false;
}

static bool was_seen(const struct listing *listing, const struct mapping *mapping, uint64_t now)
{
	const struct process_table *process_table = filesystem_of(listing->req)->process_table;

	return !mapping_process(mapping) ||
	       now - process_table_seen(process_table, mapping) < ATTRIBUTES_SEEN;
}

/*
 * Waits for what the kernel is to cache of the first mapping, and of some that follow, unless
 * that has been done for this part. False: nothing is waited for.
 */
static bool wait_for_mapping(struct listing *listing, struct mapping *mapping, uint64_t now)
{
	/* The first part has waited for a scan of all processes. */
	if (listing->begin && !listing->scanned && !was_seen(listing, mapping, now) &&
	    wait_for_scan(listing))
		return true;
	return !listing->checked && !facts_cache_is_fresh(mapping, now) &&
	       wait_for_facts(listing, mapping);
}

/* False: memory has run out, and the request is answered. */
static bool listing_take_buffer(struct listing *listing)
{
	struct filesystem *filesystem = filesystem_of(listing->req);

	/* One buffer serves all listings: it is filled and sent without a wait in between. */
	if (listing->size > filesystem->readdir_room) {
		char *larger = realloc(filesystem->readdir_buffer, listing->size);

		if (!larger) {
			fuse_reply_err(listing->req, ENOMEM);
			free(listing);
			return false;
		}
		filesystem->readdir_buffer = larger;
		filesystem->readdir_room = listing->size;
	}
	listing->buffer = filesystem->readdir_buffer;
	return true;
}

/* False: there is no room for them. */
static bool listing_add_dots(struct listing *listing)
{
	if (listing->cookie < COOKIE_DOT)
		listing->directory->newest = catalog_newest(filesystem_of(listing->req)->catalog);
	return (listing->cookie >= COOKIE_DOT ||
		listing_add_plain(listing, ".", COOKIE_DOT, CATALOG_ROOT, S_IFDIR)) &&
	       (listing->cookie >= COOKIE_DOT_DOT ||
		listing_add_plain(listing, "..", COOKIE_DOT_DOT, CATALOG_ROOT, S_IFDIR));
}

static void listing_fill(struct listing *listing)
{
	const struct catalog *catalog = filesystem_of(listing->req)->catalog;
	uint64_t now = clock_now();
	struct mapping *mapping;
	size_t place, count = 0, most = most_mappings(listing);

	listing->used = 0; /* the buffer has served others if this one has waited */
	listing->cookie = listing->begin;
	if (!listing_take_buffer(listing))
		return;
	if (!listing_add_dots(listing))
		goto reply;
	for (mapping = catalog_after(catalog, listing->cookie, &place);
	     mapping && mapping_number(mapping) <= listing->directory->newest && count < most;
	     mapping = catalog_next(catalog, &place)) {
		if (listing->plus && !listing->hurried &&
		    (!was_seen(listing, mapping, now) || !facts_cache_is_fresh(mapping, now))) {
			if (count)
				break; /* the next part begins with it */
			if (wait_for_mapping(listing, mapping, now))
				return;
			listing->hurried = true;
		}
		if (!listing_add_mapping(listing, mapping, now))
			break;
		count++;
	}
reply:
	listing_reply(listing);
}

static void listing_begin(struct waiter *waiter)
{
	waiter->wake = listing_ready;
	listing_fill(container_of(waiter, struct listing, waiter));
}

static struct open_directory *directory_of(const struct fuse_file_info *fi)
{
	return (struct open_directory *)(uintptr_t)fi->fh;
}

static void list(fuse_req_t req, size_t size, off_t offset, bool plus,
		 const struct fuse_file_info *fi)
{
	struct listing *listing = calloc(1, sizeof(*listing));

	if (!listing) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	listing->waiter.wake = listing_begin;
	listing->req = req;
	listing->since = clock_now();
	listing->directory = directory_of(fi);
	listing->size = size;
	listing->begin = (uint64_t)offset;
	listing->plus = plus;
	if (offset || process_table_scan(filesystem_of(req)->process_table, fuse_req_ctx(req)->uid,
					 &listing->waiter))
		listing_begin(&listing->waiter);
}

static void close_directory(struct open_directory *directory)
{
	LIST_REMOVE(directory, others);
	free(directory);
}

/* Answered, not ENOSYS: a kernel that need not ask caches listings and never sees new names. */
void readdir_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct open_directory *directory;

	if (id != CATALOG_ROOT) {
		fuse_reply_err(req, ENOTDIR);
		return;
	}
	directory = calloc(1, sizeof(*directory));
	if (!directory) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	/* A listing may begin in the middle, as an NFS server makes it do. */
	directory->newest = catalog_newest(filesystem_of(req)->catalog);
	LIST_INSERT_HEAD(&filesystem_of(req)->directories, directory, others);
	fi->fh = (uintptr_t)directory;
	if (fuse_reply_open(req, fi))
		close_directory(directory);
}

void readdir_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	(void)id;
	close_directory(directory_of(fi));
	fuse_reply_err(req, 0);
}

void readdir_plain(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		   struct fuse_file_info *fi)
{
	(void)id;
	list(req, size, offset, false, fi);
}

void readdir_plus(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		  struct fuse_file_info *fi)
{
	(void)id;
	list(req, size, offset, true, fi);
}
