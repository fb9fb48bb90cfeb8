/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * facts_reader.c - see facts_reader.h
 *
 * A reader keeps what serves several queries of a row: the areas of one process, and what is known
 * of files and devices. Where a row has many queries about a process, all its areas are read at
 * once; otherwise each area is looked up by its link in map_files. No area is looked at if a scan
 * has just done so and the file is at the path where it was before.
 */
#include "facts/facts_reader.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/shared_text.h"
#include "base/spare_memory.h"
#include "host/devices.h"
#include "host/mapped_files.h"
#include "host/proc.h"
#include "host/proc_maps.h"
#include "host/source_badblocks.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/*
 * A look-up of a link takes as long as reading so many bytes of the list of areas: 64 areas, or
 * fewer with long paths.
 */
#define TEXT_FOR_A_LINK 6400

/* How many processes it is kept of how long their lists were; places are chosen by the pid. */
#define SIZES 1024

struct facts_reader {
	struct devices *devices;
	struct mapped_files *files;
	struct source_badblocks *badblocks;
	uint64_t begun, newest, oldest;        /* of the row */
	uint64_t files_since, badblocks_since; /* clock_now() of the oldest answers about files */
	bool by_areas;                         /* all areas of the process are read */
	struct maps maps;                      /* of that process */
	pid_t maps_pid;
	uint64_t maps_read, maps_newest;
	struct {
		pid_t pid;
		size_t text_length;
	} sizes[SIZES];
};

/* Where the file of a mapping is asked for. */
struct found_area {
	char link[PROC_MAP_FILE_SIZE]; /* of the area; empty: there is none */
	const char *path;              /* as in struct mapped_area */
	bool certain;
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
static int add_badblocks(struct facts_query *query, const struct badblock_list *bad)
{
	const struct extent whole = {.length = query->record.length};
	const struct extents *extents = query->facts.extents;
	int error = 0;

	for (size_t i = 0; !error && i < bad->count; i++)
		for (size_t j = 0; !error && j < (extents ? extents->count : 1); j++)
			error = add_badblock_within(query, &bad->list[i],
						    extents ? &extents->list[j] : &whole);
	return error;
}

/* Those of the mapped file. NULL: they cannot be read. */
static const struct badblock_list *find_badblocks(struct facts_reader *facts_reader,
						  const struct facts_query *query, const char *link)
{
	dev_t dev = query->record.source_dev;
	uint64_t inode = query->record.source_inode;
	struct source_badblocks *sources = facts_reader->badblocks;
	const struct badblock_list *bad = source_badblocks_find(sources, dev, inode);
	int fd = bad ? -1 : open_source(query, link);

	if (fd >= 0) {
		bad = source_badblocks_read(sources, dev, inode, fd);
		close(fd);
	}
	return bad && bad->known ? bad : NULL;
}

static void read_badblocks(struct facts_reader *facts_reader, struct facts_query *query,
			   const char *link)
{
	const struct badblock_list *bad = find_badblocks(facts_reader, query, link);

	query->facts.badblocks_known = bad && !add_badblocks(query, bad);
	if (query->read_at > facts_reader->badblocks_since)
		query->read_at = facts_reader->badblocks_since;
}

/* Whether nothing of the mapping is left. */
static bool is_gone(const struct facts *facts)
{
	return facts->extents && !facts->extents->count;
}

/* Whether there is a device below the file system, or the node. */
static bool has_device(const struct facts_query *query, dev_t *dev, bool *block)
{
	*block = query->record.source_type != PMEM2FS_SOURCE_DEVDAX;
	*dev = *block ? query->record.source_dev : query->record.source_rdev;
	return major(*dev);
}

static void read_device(struct facts_reader *facts_reader, struct facts_query *query,
			const char *link)
{
	struct facts *facts = &query->facts;
	const struct known_device *known;
	dev_t dev;
	bool block;

	if (!has_device(query, &dev, &block))
		return;
	known = devices_find(facts_reader->devices, dev, block, facts_reader->begun);
	facts->pending |= !known || known->unclear;
	if (!block && !is_gone(facts)) {
		facts->size_known = known && known->size_known;
		facts->size = facts->size_known ? known->size : 0;
	}
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
	if (known->badblocks_known && known->badblock_count && !is_gone(facts))
		read_badblocks(facts_reader, query, link);
}

static void take_file(struct facts_reader *facts_reader, struct facts_query *query,
		      const struct mapped_file *file)
{
	struct facts *facts = &query->facts;

	shared_text_put(facts->path);
	facts->path = shared_text_get(file->path);
	facts->deleted = file->deleted;
	facts->size_known = file->seen;
	facts->size = file->size;
	if (query->read_at > facts_reader->files_since)
		query->read_at = facts_reader->files_since;
}

/*
 * Reads path and size of a file. Returns whether the area is still there and is of the mapping's
 * file.
 */
static bool read_file(struct facts_reader *facts_reader, struct facts_query *query,
		      const struct found_area *found)
{
	const struct mapped_area area = {
		.pid = query->pid,
		.foreign = query->foreign,
		.certain = found->certain,
		.link = found->link,
		.path = found->path,
		.dev = query->record.source_dev,
		.inode = query->record.source_inode,
	};
	const struct mapped_file file = mapped_files_find(facts_reader->files, &area);

	take_file(facts_reader, query, &file);
	return file.seen;
}

static bool may_have_badblocks(struct facts_reader *facts_reader, const struct facts_query *query)
{
	const struct known_device *known;
	dev_t dev;
	bool block;

	if (!has_device(query, &dev, &block))
		return false;
	known = devices_find(facts_reader->devices, dev, block, facts_reader->begun);
	return !known || known->badblock_count;
}

/*
 * Reads the file where it was before, without a look at the areas, which are needed for bad blocks.
 */
static bool read_file_again(struct facts_reader *facts_reader, struct facts_query *query)
{
	const struct mapped_area area = {
		.pid = query->pid,
		.foreign = query->foreign,
		.certain = true,
		.link = "",
		.path = query->path,
		.dev = query->record.source_dev,
		.inode = query->record.source_inode,
	};
	struct mapped_file file;

	if (!query->path || may_have_badblocks(facts_reader, query))
		return false;
	file = mapped_files_find_again(facts_reader->files, &area);
	if (file.seen)
		take_file(facts_reader, query, &file);
	return file.seen;
}

/* Whether the area has gone since the areas were read. */
static bool has_moved(const struct facts *facts, const char *link)
{
	struct stat st;

	return !facts->path && !is_gone(facts) && lstat(link, &st) && errno == ENOENT;
}

static void note_size(struct facts_reader *facts_reader, pid_t pid, size_t text_length)
{
	facts_reader->sizes[(size_t)pid % SIZES].pid = pid;
	facts_reader->sizes[(size_t)pid % SIZES].text_length = text_length;
}

/* How long the list of areas was when it was last read, as far as that is known; else 0. */
static size_t size_of(const struct facts_reader *facts_reader, pid_t pid)
{
	size_t place = (size_t)pid % SIZES;

	return facts_reader->sizes[place].pid == pid ? facts_reader->sizes[place].text_length : 0;
}

/* The areas of the process, not older than the query's mapping. NULL: they cannot be read. */
static const struct maps *current_maps(struct facts_reader *facts_reader,
				       const struct facts_query *query)
{
	uint64_t now = clock_now();

	if (facts_reader->maps_pid == query->pid &&
	    facts_reader->maps_read >= facts_reader->oldest &&
	    query->number <= facts_reader->maps_newest)
		return &facts_reader->maps;
	maps_clear(&facts_reader->maps);
	facts_reader->maps_read = 0;
	if (maps_read_with_paths(&facts_reader->maps, query->pid))
		return NULL;
	facts_reader->maps_pid = query->pid;
	facts_reader->maps_read = now;
	facts_reader->maps_newest = facts_reader->newest;
	note_size(facts_reader, query->pid, facts_reader->maps.text_length);
	return &facts_reader->maps;
}

/*
 * What is left of the mapping, by the areas of its process. Its neighbour may have been joined with
 * it. Where the areas cannot be had it counts as whole.
 */
static void read_parts(struct facts_reader *facts_reader, struct facts_query *query,
		       struct found_area *found)
{
	const struct maps *maps = current_maps(facts_reader, query);
	struct facts *facts = &query->facts;
	const struct maps_area *first;

	free(facts->extents);
	facts->extents = NULL;
	if (!maps || maps_find(maps, &query->record, &facts->extents, &first))
		return;
	query->read_at = facts_reader->maps_read;
	*found = (struct found_area){0}; /* whatever is at the addresses is another mapping's */
	if (!first)
		return;
	proc_map_file(found->link, maps->task, first->begin, first->end);
	found->path = maps_path(maps, first);
	found->certain = first->dev == query->record.source_dev &&
			 first->inode == query->record.source_inode;
}

/* Whether the area exists: the kernel has a link for each area that is of a file or shared. */
static bool has_area(const char *link)
{
	struct stat st;

	return !lstat(link, &st);
}

static void read_file_in_parts(struct facts_reader *facts_reader, struct facts_query *query,
			       struct found_area *found)
{
	const struct facts *facts = &query->facts;

	read_parts(facts_reader, query, found);
	if (read_file(facts_reader, query, found) || has_area(found->link) || is_gone(facts) ||
	    facts_reader->maps_read >= facts_reader->begun)
		return;
	facts_reader->maps_read = 0; /* the areas have changed since */
	read_parts(facts_reader, query, found);
	read_file(facts_reader, query, found);
}

/* Reads the file by the link of an area that is the whole mapping, if there is one. */
static bool read_file_of_area(struct facts_reader *facts_reader, struct facts_query *query,
			      struct found_area *found)
{
	const struct pmem2fs_record *record = &query->record;
	struct facts *facts = &query->facts;

	free(facts->extents);
	facts->extents = NULL;
	query->read_at = facts_reader->begun;
	*found = (struct found_area){0};
	proc_map_file(found->link, query->pid, record->address,
		      record->address + extents_whole(record->length));
	return read_file(facts_reader, query, found);
}

/* The same where all areas are read anyway. */
static bool read_file_by_areas(struct facts_reader *facts_reader, struct facts_query *query,
			       struct found_area *found)
{
	if (!facts_reader->by_areas)
		return false;
	read_parts(facts_reader, query, found);
	return found->link[0] && read_file(facts_reader, query, found);
}

static void read_anonymous(struct facts_reader *facts_reader, struct facts_query *query)
{
	const struct pmem2fs_record *record = &query->record;
	struct found_area found = {0};

	query->facts.size = record->source_size;
	query->facts.size_known = true;
	proc_map_file(found.link, query->pid, record->address,
		      record->address + extents_whole(record->length));
	if (facts_reader->by_areas || record->sharing != PMEM2_SHARED || !has_area(found.link))
		read_parts(facts_reader, query, &found);
}

void facts_reader_read(struct facts_reader *facts_reader, struct facts_query *query)
{
	struct facts *facts = &query->facts;
	struct found_area found = {0};

	query->read_at = facts_reader->begun;
	if (query->record.source_type == PMEM2FS_SOURCE_ANONYMOUS) {
		read_anonymous(facts_reader, query);
		return;
	}
	if (!read_file_again(facts_reader, query) &&
	    !read_file_by_areas(facts_reader, query, &found) &&
	    !read_file_of_area(facts_reader, query, &found))
		read_file_in_parts(facts_reader, query, &found);
	facts->pending = has_moved(facts, found.link);
	read_device(facts_reader, query, found.link);
}

struct facts_reader *facts_reader_new(void)
{
	struct facts_reader *facts_reader = calloc(1, sizeof(*facts_reader));

	if (!facts_reader)
		return NULL;
	facts_reader->devices = devices_new();
	facts_reader->files = mapped_files_new();
	facts_reader->badblocks = source_badblocks_new();
	if (!facts_reader->devices || !facts_reader->files || !facts_reader->badblocks) {
		facts_reader_free(facts_reader);
		return NULL;
	}
	return facts_reader;
}

void facts_reader_free(struct facts_reader *facts_reader)
{
	if (!facts_reader)
		return;
	devices_free(facts_reader->devices);
	mapped_files_free(facts_reader->files);
	source_badblocks_free(facts_reader->badblocks);
	maps_clear(&facts_reader->maps);
	free(facts_reader);
}

void facts_reader_begin(struct facts_reader *facts_reader, uint64_t newest, uint64_t oldest)
{
	facts_reader->begun = clock_now();
	facts_reader->newest = newest;
	facts_reader->oldest = oldest;
	facts_reader->by_areas = false;
	facts_reader->files_since = mapped_files_begin(facts_reader->files, oldest);
	facts_reader->badblocks_since = source_badblocks_begin(facts_reader->badblocks, oldest);
}

void facts_reader_begin_process(struct facts_reader *facts_reader, pid_t pid, size_t queries)
{
	facts_reader->by_areas =
		queries > 1 && size_of(facts_reader, pid) <= queries * TEXT_FOR_A_LINK;
}

void facts_reader_rest(struct facts_reader *facts_reader)
{
	spare_memory_note(facts_reader->maps.count * sizeof(*facts_reader->maps.list) +
			  facts_reader->maps.paths_length);
	maps_clear(&facts_reader->maps);
	facts_reader->maps_pid = 0;
	mapped_files_begin(facts_reader->files, UINT64_MAX);
	source_badblocks_begin(facts_reader->badblocks, UINT64_MAX);
}
