/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attributes.c - see attributes.h
 *
 * Owns nothing; the catalog and the drafts own the nodes.
 */
#define FUSE_USE_VERSION 314
#include "fuse/attributes.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "facts/facts_cache.h"
#include "scan/process_table.h"
#include <errno.h>
#include <fuse_lowlevel.h>
#include <unistd.h>

#define BLOCK    512  /* bytes of a unit of st_blocks */
#define IO_BLOCK 4096 /* what read(2) is best done in */

void attributes_root(const struct filesystem *filesystem, struct stat *st)
{
	const struct timespec changed = catalog_changed(filesystem->catalog);

	*st = (struct stat){
		.st_ino = CATALOG_ROOT,
		.st_mode = S_IFDIR | filesystem->settings.rootmode,
		.st_nlink = 2,
		.st_uid = geteuid(),
		.st_gid = getegid(),
		.st_mtim = changed,
		.st_ctim = changed,
		.st_atim = changed,
		.st_blksize = IO_BLOCK,
	};
}

void attributes_version(const struct filesystem *filesystem, struct version *version,
			struct stat *st)
{
	struct pmem2fs_record record;
	struct timespec since = clock_timespec(version->since);
	uint64_t blocks = (version_mapped(version) + BLOCK - 1) / BLOCK;

	version_record(version, &record);
	*st = (struct stat){
		.st_ino = version->number,
		.st_mode = S_IFREG | filesystem->settings.mode,
		.st_nlink = 1,
		.st_uid = record.uid,
		.st_gid = record.gid,
		.st_size = (off_t)version_document_size(filesystem->catalog, version),
		/* tar -S and other programs take a file without blocks for one hole. */
		.st_blocks = (blkcnt_t)(blocks ? blocks : 1),
		.st_blksize = IO_BLOCK,
		.st_atim = since,
		.st_mtim = since,
		.st_ctim = since,
	};
}

void attributes_draft(const struct draft *draft, struct stat *st)
{
	struct timespec written = clock_timespec(draft->written);

	*st = (struct stat){
		.st_ino = draft->node.id | 1ull << 63, /* no mapping has such a number */
		.st_mode = S_IFREG | 0600,
		.st_nlink = 1,
		.st_uid = draft->uid,
		.st_gid = draft->gid,
		.st_size = (off_t)draft->scan.seen,
		.st_blksize = IO_BLOCK,
		.st_atim = written,
		.st_mtim = written,
		.st_ctim = written,
	};
}

int attributes_check_change(const struct stat *st, const struct stat *wanted, int to_set,
			    uid_t caller)
{
	if (caller && caller != st->st_uid)
		return -EPERM;
	if (to_set & FUSE_SET_ATTR_UID && wanted->st_uid != st->st_uid)
		return -EPERM;
	if (to_set & FUSE_SET_ATTR_GID && wanted->st_gid != st->st_gid)
		return -EPERM;
	return 0;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What is left of `most` after something that was known at `since`; 0: at no time. */
static uint64_t time_left(uint64_t since, uint64_t most, uint64_t now)
{
	return since && now - since < most ? most - (now - since) : 0;
}

/*
 * For how many seconds the kernel may cache the facts, so that none is shown when it is older
 * than FACTS_CACHE_FRESH. Another process may unmap a mapping at any time: then the kernel may
 * cache what is listed, so that the list can be read, but no name that was looked up.
 */
static double validity(const struct filesystem *filesystem, const struct mapping *mapping,
		       enum entry_use use, uint64_t now)
{
	uint64_t left = time_left(mapping_checked(mapping), FACTS_CACHE_FRESH, now), seen;
	double seconds;

	if (mapping_process(mapping)) {
		seen = process_table_seen(filesystem->process_table, mapping);
		left = smaller(left, time_left(seen, ATTRIBUTES_SEEN, now));
		left = use == ENTRY_LISTED ? smaller(left, LEFTOVERS_CACHED) : 0;
	}
	seconds = (double)left / CLOCK_SECOND;
	return seconds < filesystem->settings.timeout ? seconds : filesystem->settings.timeout;
}

int attributes_entry(const struct filesystem *filesystem, struct mapping *mapping,
		     enum entry_use use, uint64_t now, struct fuse_entry_param *param)
{
	*param = (struct fuse_entry_param){0};
	attributes_version(filesystem, mapping_version(mapping), &param->attr);
	if (!param->attr.st_size ||
	    nodes_lookup(catalog_nodes(filesystem->catalog), &mapping_version(mapping)->node))
		return -ENOMEM;
	param->ino = mapping_version(mapping)->node.id;
	param->entry_timeout = validity(filesystem, mapping, use, now);
	param->attr_timeout = filesystem->settings.timeout;
	if (mapping_process(mapping) && param->entry_timeout > 0)
		mapping_version(mapping)->cached = true;
	return 0;
}

void attributes_forget(const struct filesystem *filesystem, uint64_t id, uint64_t count)
{
	struct node *node = nodes_find(catalog_nodes(filesystem->catalog), id);

	if (!node || !nodes_forget(catalog_nodes(filesystem->catalog), node, count))
		return;
	if (node->kind == NODE_VERSION)
		version_free(filesystem->catalog, container_of(node, struct version, node));
	else
		draft_free(filesystem->drafts, container_of(node, struct draft, node));
}
