/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * readdir.c - see readdir.h
 *
 * Owns the buffer that listings are written to and the directories that are open, which are kept in
 * struct filesystem. The begin of a listing waits for a scan of all processes, and READDIRPLUS for
 * facts that are out of date.
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
	struct open_directory *directory;
	char *buffer;
	size_t size, used;
	uint64_t cookie; /* of the last one that is in */
	bool plus;       /* with attributes */
	bool checked;    /* facts that were out of date have been read */
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
	struct listing *listing = container_of(waiter, struct listing, waiter);

	listing->checked = true;
	listing_fill(listing);
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
	const struct filesystem *filesystem = filesystem_of(listing->req);
	uint64_t now = clock_now();
	struct mapping *mapping;
	size_t place;

	if (!listing_take_buffer(listing))
		return;
	if (!listing_add_dots(listing))
		goto reply;
	for (mapping = catalog_after(filesystem->catalog, listing->cookie, &place);
	     mapping && mapping_number(mapping) <= listing->directory->newest;
	     mapping = catalog_next(filesystem->catalog, &place)) {
		if (listing->plus && !listing->checked && !facts_cache_is_fresh(mapping, now)) {
			if (listing->used)
				break; /* the next call begins with it */
			if (!facts_cache_request(filesystem->facts_cache, mapping, AHEAD,
						 &listing->waiter))
				return;
		}
		if (!listing_add_mapping(listing, mapping, now))
			break;
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
	listing->directory = directory_of(fi);
	listing->size = size;
	listing->cookie = (uint64_t)offset;
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
