/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * facts_reader.c - see facts_reader.h
 *
 * A reader keeps what serves several queries of a row: the areas of one process, the mount of the
 * last file, and what is known of devices.
 */
#include "facts/facts_reader.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/shared_text.h"
#include "host/dax_node.h"
#include "host/devices.h"
#include "host/opener.h"
#include "host/proc.h"
#include "host/proc_maps.h"
#include "mount/mountinfo.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MAPS_FRESH (CLOCK_SECOND / 10) /* for how long the areas that were read serve */

struct facts_reader {
	struct devices *devices;
	uint64_t begun, newest; /* of the row */
	/* Whether a file system with that device number is mounted for that process. */
	dev_t looked_for;
	pid_t looked_for_pid;
	bool mounted;
	struct mount_line line;
	/* Whether files on that mount can be read of without hanging. */
	uint64_t mount;
	pid_t mount_pid;
	bool mount_safe;
	struct maps maps; /* of that process */
	pid_t maps_pid;
	uint64_t maps_read, maps_newest;
};

/* Opens the mapped file, for its extents on the device; -1 where that is not possible. */
static int open_source(const struct facts_query *query, const char *link)
{
	bool by_path = !query->facts.deleted && !query->foreign;
	const char *ways[] = {link, by_path ? query->facts.path : NULL};
	struct stat st;

	for (size_t i = 0; i < 2; i++) {
		int fd = ways[i] ? open(ways[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;

		if (fd < 0)
			continue;
		if (!fstat(fd, &st) && st.st_ino == query->record.source_inode &&
		    st.st_dev == query->record.source_dev)
			return fd;
		close(fd);
	}
	return -1;
}

static int add_badblock(struct facts_query *query, uint64_t offset, uint64_t length)
{
	struct facts *facts = &query->facts;

	if (array_reserve(facts->badblocks, &query->badblock_room, facts->badblock_count + 1, 4))
		return -ENOMEM;
	facts->badblocks[facts->badblock_count++] =
		(struct pmem2_badblock){.offset = offset, .length = length};
	return 0;
}

/* Adds the bytes of a bad range of the source that are in one part of the mapping. */
static int add_badblock_within(struct facts_query *query, const struct pmem2_badblock *bad,
			       const struct extent *part)
{
	uint64_t source = query->record.offset, length = query->record.length;
	uint64_t from = source + part->offset, to = from + part->length;

	if (to > source + length) /* the last page reaches further */
		to = source + length;
	if (from < bad->offset)
		from = bad->offset;
	if (to > bad->offset + bad->length)
		to = bad->offset + bad->length;
	return from < to ? add_badblock(query, from - source, to - from) : 0;
}

/* The bad ranges of the source that are within what is mapped, relative to the mapping. */
static int read_badblocks_of_mapping(struct facts_query *query, int fd)
{
	const struct extent whole = {.length = query->record.length};
	const struct extents *extents = query->facts.extents;
	struct pmem2_badblock_context *context = NULL;
	struct pmem2_source *source = NULL;
	struct pmem2_badblock bad;
	int error;

	error = pmem2_source_from_fd(&source, fd);
	if (!error)
		error = pmem2_badblock_context_new(&context, source);
	while (!error) {
		error = pmem2_badblock_next(context, &bad);
		for (size_t i = 0; !error && i < (extents ? extents->count : 1); i++)
			error = add_badblock_within(query, &bad,
						    extents ? &extents->list[i] : &whole);
	}
	pmem2_badblock_context_delete(&context);
	pmem2_source_delete(&source);
	return error == PMEM2_E_NO_BAD_BLOCK_FOUND ? 0 : error;
}

/* Whether nothing of the mapping is left. */
static bool is_gone(const struct facts *facts)
{
	return facts->extents && !facts->extents->count;
}

static void read_device(struct facts_reader *facts_reader, struct facts_query *query,
			const char *link)
{
	bool block = query->record.source_type != PMEM2FS_SOURCE_DEVDAX;
	dev_t dev = block ? query->record.source_dev : query->record.source_rdev;
	struct facts *facts = &query->facts;
	const struct known_device *known;
	int fd;

	if (!major(dev))
		return; /* there is no device below this file system */
	known = devices_find(facts_reader->devices, dev, block, facts_reader->begun);
	if (!known)
		return;
	facts->lost = known_device_is_lost(known, query->device);
	if (facts->lost) {
		facts->device = device_get(query->device);
		facts->size_known &= block; /* a file system still knows its size */
		return;
	}
	if (!known->device)
		return;
	facts->device = device_get(known->device);
	facts->badblocks_known = known->badblocks_known;
	facts->device_badblocks = (uint32_t)known->badblock_count;
	if (!known->badblocks_known || !known->badblock_count || is_gone(facts))
		return;
	fd = open_source(query, link);
	facts->badblocks_known = fd >= 0 && !read_badblocks_of_mapping(query, fd);
	if (fd >= 0)
		close(fd);
}

/*
 * Whether a stat of an area's file is sure not to hang. With the keeper's mappings it is: files
 * that could hang were refused when the mappings were made.
 */
static bool may_stat(struct facts_reader *facts_reader, const struct facts_query *query,
		     const char *link)
{
	struct statx st;

	if (!query->foreign)
		return true;
	if (statx(AT_FDCWD, link, AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) ||
	    !(st.stx_mask & STATX_MNT_ID))
		return false;
	if (facts_reader->mount != st.stx_mnt_id || facts_reader->mount_pid != query->pid) {
		facts_reader->mount_safe = opener_is_safe((int)st.stx_mnt_id, query->pid);
		facts_reader->mount = st.stx_mnt_id;
		facts_reader->mount_pid = query->pid;
	}
	return facts_reader->mount_safe;
}

/*
 * As root, the file itself is read of through the area's link in /proc; otherwise the file at its
 * path, if it is the same one. Root never follows the path: its owner may have put a file system
 * there that hangs. True: there is such an area, and it is of the mapping's file.
 */
static bool read_file(struct facts_reader *facts_reader, struct facts_query *query,
		      const char *link)
{
	static const char mark[] = " (deleted)";
	const struct pmem2fs_record *record = &query->record;
	struct facts *facts = &query->facts;
	struct statx st;
	bool marked, seen;
	size_t length;
	char *path;

	path = proc_link(link);
	length = path ? strlen(path) : 0;
	marked = length >= sizeof(mark) && !strcmp(path + length - sizeof(mark) + 1, mark);
	seen = may_stat(facts_reader, query, link) &&
	       !statx(AT_FDCWD, link, AT_STATX_DONT_SYNC, STATX_SIZE | STATX_NLINK | STATX_INO,
		      &st);
	facts->deleted = seen ? !st.stx_nlink : marked;
	if (facts->deleted && marked)
		path[length - sizeof(mark) + 1] = '\0';
	shared_text_put(facts->path);
	facts->path = path ? shared_text_new(path) : NULL;
	free(path);
	if (!seen && facts->path && !facts->deleted && geteuid() != 0)
		seen = !statx(AT_FDCWD, facts->path, AT_STATX_DONT_SYNC, STATX_SIZE | STATX_INO,
			      &st);
	facts->size_known = seen && st.stx_ino == record->source_inode;
	facts->size = facts->size_known ? st.stx_size : 0;
	return facts->size_known;
}

/* On a file system that is no longer mounted, the path leads nowhere or to something else. */
static void check_mounted(struct facts_reader *facts_reader, struct facts_query *query)
{
	dev_t dev = query->record.source_dev;

	if (!major(dev) || !query->facts.path)
		return; /* without a device, files may have another device number */
	if (facts_reader->looked_for != dev || facts_reader->looked_for_pid != query->pid) {
		facts_reader->mounted =
			mountinfo_by_device(0, dev, &facts_reader->line) != -ENOENT ||
			(query->foreign &&
			 !mountinfo_by_device(query->pid, dev, &facts_reader->line));
		facts_reader->looked_for = dev;
		facts_reader->looked_for_pid = query->pid;
	}
	if (facts_reader->mounted)
		return;
	shared_text_put(query->facts.path);
	query->facts.path = NULL;
}

/* The areas of the process, not older than the query's mapping. NULL: they cannot be read. */
static const struct maps *current_maps(struct facts_reader *facts_reader,
				       const struct facts_query *query)
{
	uint64_t now = clock_now();

	if (facts_reader->maps_pid == query->pid && now - facts_reader->maps_read < MAPS_FRESH &&
	    query->number <= facts_reader->maps_newest)
		return &facts_reader->maps;
	maps_clear(&facts_reader->maps);
	facts_reader->maps_read = 0;
	if (maps_read(&facts_reader->maps, query->pid))
		return NULL;
	facts_reader->maps_pid = query->pid;
	facts_reader->maps_read = now;
	facts_reader->maps_newest = facts_reader->newest;
	return &facts_reader->maps;
}

/*
 * For a mapping that is not one area of its own: what is left of it. Its neighbour may have been
 * joined with it, too. Where the areas cannot be had it counts as whole.
 */
static void read_parts(struct facts_reader *facts_reader, struct facts_query *query,
		       char link[PROC_MAP_FILE_SIZE])
{
	const struct maps *maps = current_maps(facts_reader, query);
	struct facts *facts = &query->facts;
	const struct maps_area *first;

	free(facts->extents);
	facts->extents = NULL;
	if (!maps || maps_find(maps, &query->record, &facts->extents, &first))
		return;
	query->read_at = facts_reader->maps_read;
	if (first)
		proc_map_file(link, maps->task, first->begin, first->end);
	else
		link[0] = '\0'; /* whatever is there is another mapping's */
}

static void read_file_in_parts(struct facts_reader *facts_reader, struct facts_query *query,
			       char link[PROC_MAP_FILE_SIZE])
{
	const struct facts *facts = &query->facts;

	read_parts(facts_reader, query, link);
	if (read_file(facts_reader, query, link) || facts->path || is_gone(facts) ||
	    facts_reader->maps_read >= facts_reader->begun)
		return;
	facts_reader->maps_read = 0; /* the areas have changed since */
	read_parts(facts_reader, query, link);
	read_file(facts_reader, query, link);
}

/* The kernel has such a link for each area that is of a file or shared. */
static bool is_one_area(const struct facts_query *query, const char *link)
{
	struct stat st;

	return query->record.sharing == PMEM2_SHARED && !lstat(link, &st);
}

void facts_reader_read(struct facts_reader *facts_reader, struct facts_query *query)
{
	const struct pmem2fs_record *record = &query->record;
	struct facts *facts = &query->facts;
	char link[PROC_MAP_FILE_SIZE];

	query->read_at = facts_reader->begun;
	proc_map_file(link, query->pid, record->address,
		      record->address + extents_whole(record->length));
	if (record->source_type == PMEM2FS_SOURCE_ANONYMOUS) {
		facts->size = record->source_size;
		facts->size_known = true;
		if (!is_one_area(query, link))
			read_parts(facts_reader, query, link);
		return;
	}
	if (!read_file(facts_reader, query, link))
		read_file_in_parts(facts_reader, query, link);
	check_mounted(facts_reader, query);
	if (record->source_type == PMEM2FS_SOURCE_DEVDAX && !is_gone(facts))
		facts->size_known = dax_node_number(record->source_rdev, "size", &facts->size);
	read_device(facts_reader, query, link);
}

struct facts_reader *facts_reader_new(void)
{
	struct facts_reader *facts_reader = calloc(1, sizeof(*facts_reader));

	if (!facts_reader)
		return NULL;
	facts_reader->devices = devices_new();
	if (!facts_reader->devices) {
		free(facts_reader);
		return NULL;
	}
	return facts_reader;
}

void facts_reader_free(struct facts_reader *facts_reader)
{
	if (!facts_reader)
		return;
	devices_free(facts_reader->devices);
	maps_clear(&facts_reader->maps);
	free(facts_reader);
}

/* File systems may have been mounted and unmounted since. */
void facts_reader_begin(struct facts_reader *facts_reader, uint64_t newest)
{
	facts_reader->begun = clock_now();
	facts_reader->newest = newest;
	facts_reader->looked_for = 0;
	facts_reader->mount = 0;
	facts_reader->mount_pid = 0;
}
