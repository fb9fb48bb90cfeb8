/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * witness.c - see witness.h
 *
 * Two batches of questions exist at most: the one that the thread works on and the one that
 * collects. The thread sees its batch, the devices, and the owner, which the loop changes only
 * between two batches; the name space is the loop's.
 */
#include "witness.h"
#include "log.h"
#include "maps.h"
#include "mountinfo.h"
#include "proc.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DEVICE_TRIES 3
#define MAPS_FRESH   (CLOCK_SECOND / 10) /* for how long one reading of the areas serves */

#define LINK_SIZE 96

struct question {
	uint64_t number;
	uint64_t looked;              /* clock_now() of the oldest of the facts */
	struct pmem2fs_record record; /* its label is not filled in */
	struct facts facts;           /* the answer */
};

struct batch {
	struct task task; /* first */
	struct witness *witness;
	uint64_t begun;
	uint64_t newest; /* number of a mapping; all up to it were there when this was begun */
	struct owner *owner;
	bool owner_looked_at;
	dev_t looked_for; /* whether a file system with that number is mounted */
	bool mounted;
	struct mount_line line;
	size_t count, room;
	struct question *questions;
	struct waiter *waiters, **waiters_end;
};

/* A device number that was looked up; device is NULL where it is no pmem or dax device. */
struct known_device {
	struct known_device *next;
	dev_t dev;
	bool block;
	uint64_t identity;
	uint64_t checked;
	bool badblocks_known;
	size_t badblock_count;
	struct device *device;
};

struct witness {
	struct name_space *names;
	struct pool *pool;
	pid_t keeper;
	bool working;
	struct batch *collecting;
	struct owner *owner;
	uint64_t owner_checked;
	struct known_device *devices;
	struct maps maps; /* of the keeper */
	uint64_t maps_read, maps_newest;
};

/* Devices come and go while libndctl lists them: that is no answer yet. */
static int get_device(dev_t dev, bool block, struct pmem2fs_device *device)
{
	int error = -EAGAIN;

	for (int i = 0; i < DEVICE_TRIES && error && error != -ENODEV; i++)
		error = pmem2fs_device_get(dev, block, device);
	return error;
}

/* Looks the facts of a device number up, and again when the number went to another device. */
static struct known_device *look_at_device(struct witness *witness, dev_t dev, bool block)
{
	struct known_device *known = witness->devices;
	struct device *device;
	uint64_t identity = 0;
	int error;

	while (known && (known->dev != dev || known->block != block))
		known = known->next;
	if (known && clock_now() - known->checked < WITNESS_FRESH)
		return known;
	if (!known) {
		known = calloc(1, sizeof(*known));
		if (!known)
			return NULL;
		known->dev = dev;
		known->block = block;
		known->next = witness->devices;
		witness->devices = known;
		known->identity = ~0ull;
	}
	known->checked = clock_now();
	pmem2fs_device_identity(dev, block, &identity);
	if (identity != known->identity) {
		device_put(known->device);
		known->device = NULL;
		known->identity = identity;
		device = calloc(1, sizeof(*device));
		error = device ? get_device(dev, block, &device->is) : -ENOMEM;
		if (!error) {
			device->references = 1;
			known->device = device;
		} else {
			free(device);
			if (error != -ENODEV) { /* tried again at the next look */
				log_warning("device %u:%u: %s", major(dev), minor(dev),
					    pmem2_errormsg());
				known->identity = ~0ull;
				known->checked = 0;
			}
		}
	}
	known->badblocks_known =
		known->device &&
		!pmem2fs_device_badblock_count(&known->device->is, &known->badblock_count);
	return known;
}

/* The mapped file, opened for looking at its extents; -1 where that is not possible. */
static int open_source(const struct question *question, const char *link)
{
	const char *ways[] = {link, question->facts.deleted ? NULL : question->facts.path};
	struct stat st;

	for (size_t i = 0; i < 2; i++) {
		int fd = ways[i] ? open(ways[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;

		if (fd < 0)
			continue;
		if (!fstat(fd, &st) && st.st_ino == question->record.source_inode &&
		    st.st_dev == question->record.source_dev)
			return fd;
		close(fd);
	}
	return -1;
}

static int add_badblock(struct facts *facts, uint64_t offset, uint64_t length)
{
	struct pmem2_badblock *larger;

	larger = realloc(facts->badblocks, (facts->badblock_count + 1) * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	larger[facts->badblock_count++] =
		(struct pmem2_badblock){.offset = offset, .length = length};
	facts->badblocks = larger;
	return 0;
}

/* Adds what of a bad range of the source is in one part of the mapping. */
static int add_badblock_within(struct question *question, const struct pmem2_badblock *bad,
			       const struct extent *part)
{
	uint64_t source = question->record.offset, length = question->record.length;
	uint64_t from = source + part->offset, to = from + part->length;

	if (to > source + length) /* the last page reaches further */
		to = source + length;
	if (from < bad->offset)
		from = bad->offset;
	if (to > bad->offset + bad->length)
		to = bad->offset + bad->length;
	return from < to ? add_badblock(&question->facts, from - source, to - from) : 0;
}

/* The bad ranges of the source that are within what is mapped, relative to the mapping. */
static int look_at_badblocks(struct question *question, int fd)
{
	const struct extent whole = {.length = question->record.length};
	const struct extents *extents = question->facts.extents;
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
			error = add_badblock_within(question, &bad,
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

static void look_below(struct witness *witness, struct question *question, const char *link)
{
	bool block = question->record.source_type != PMEM2FS_SOURCE_DEVDAX;
	dev_t dev = block ? question->record.source_dev : question->record.source_rdev;
	struct facts *facts = &question->facts;
	struct known_device *known;
	int fd;

	if (!major(dev))
		return; /* no device below this file system */
	known = look_at_device(witness, dev, block);
	if (!known || !known->device)
		return;
	facts->device = device_get(known->device);
	facts->badblocks_known = known->badblocks_known;
	facts->device_badblocks = (uint32_t)known->badblock_count;
	if (!known->badblocks_known || !known->badblock_count || is_gone(facts))
		return;
	fd = open_source(question, link);
	facts->badblocks_known = fd >= 0 && !look_at_badblocks(question, fd);
	if (fd >= 0)
		close(fd);
}

static bool devdax_size(dev_t dev, uint64_t *size)
{
	char path[64];
	FILE *file;
	int n;

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/size", major(dev), minor(dev));
	file = fopen(path, "re");
	if (!file)
		return false;
	n = fscanf(file, "%lu", size);
	fclose(file);
	return n == 1;
}

/*
 * Through the area's link in /proc the file itself is asked, which takes root; otherwise whatever
 * is at its path, if it is the same file. Root never follows the path: its owner may have put a
 * file system there that hangs. True: there is such an area, and it is of the mapping's file.
 */
static bool look_at_file(struct question *question, const char *link)
{
	static const char mark[] = " (deleted)";
	const struct pmem2fs_record *record = &question->record;
	struct facts *facts = &question->facts;
	struct statx st;
	bool marked, seen;
	size_t length;

	free(facts->path);
	facts->path = proc_link(link);
	length = facts->path ? strlen(facts->path) : 0;
	marked = length >= sizeof(mark) && !strcmp(facts->path + length - sizeof(mark) + 1, mark);
	seen = !statx(AT_FDCWD, link, AT_STATX_DONT_SYNC, STATX_SIZE | STATX_NLINK | STATX_INO,
		      &st);
	facts->deleted = seen ? !st.stx_nlink : marked;
	if (facts->deleted && marked)
		facts->path[length - sizeof(mark) + 1] = '\0';
	if (!seen && facts->path && !facts->deleted && geteuid() != 0)
		seen = !statx(AT_FDCWD, facts->path, AT_STATX_DONT_SYNC, STATX_SIZE | STATX_INO,
			      &st);
	facts->size_known = seen && st.stx_ino == record->source_inode;
	facts->size = facts->size_known ? st.stx_size : 0;
	return facts->size_known;
}

/* The path on a file system that is mounted nowhere any more leads nowhere, or somewhere else. */
static void check_mounted(struct batch *batch, struct question *question)
{
	dev_t dev = question->record.source_dev;

	if (!major(dev) || !question->facts.path)
		return; /* file systems without a device may show another number in files */
	if (batch->looked_for != dev) {
		batch->mounted = mountinfo_by_device(0, dev, &batch->line) != -ENOENT;
		batch->looked_for = dev;
	}
	if (batch->mounted)
		return;
	free(question->facts.path);
	question->facts.path = NULL;
}

static void name_link(char link[LINK_SIZE], pid_t pid, uint64_t begin, uint64_t end)
{
	snprintf(link, LINK_SIZE, "/proc/%d/map_files/%lx-%lx", (int)pid, begin, end);
}

/* The areas of the keeper, not older than the question's mapping. NULL: they cannot be had. */
static const struct maps *look_at_maps(struct batch *batch, const struct question *question)
{
	struct witness *witness = batch->witness;
	uint64_t now = clock_now();

	if (now - witness->maps_read < MAPS_FRESH && question->number <= witness->maps_newest)
		return &witness->maps;
	maps_clear(&witness->maps);
	witness->maps_read = 0;
	if (maps_read(&witness->maps, witness->keeper))
		return NULL;
	witness->maps_read = now;
	witness->maps_newest = batch->newest;
	return &witness->maps;
}

/*
 * For a mapping that is not one area of its own: what is left of it. Its neighbour may have been
 * joined with it, too. Where the areas cannot be had it counts as whole.
 */
static void look_at_parts(struct batch *batch, struct question *question, char link[LINK_SIZE])
{
	const struct maps *maps = look_at_maps(batch, question);
	struct facts *facts = &question->facts;
	const struct maps_area *first;

	free(facts->extents);
	facts->extents = NULL;
	if (!maps || maps_find(maps, &question->record, &facts->extents, &first))
		return;
	question->looked = batch->witness->maps_read;
	if (first)
		name_link(link, batch->witness->keeper, first->begin, first->end);
	else
		link[0] = '\0'; /* whatever is there is another mapping's */
}

static void look_at_file_in_parts(struct batch *batch, struct question *question,
				  char link[LINK_SIZE])
{
	const struct facts *facts = &question->facts;

	look_at_parts(batch, question, link);
	if (look_at_file(question, link) || facts->path || is_gone(facts) ||
	    batch->witness->maps_read >= batch->begun)
		return;
	batch->witness->maps_read = 0; /* the areas have changed since */
	look_at_parts(batch, question, link);
	look_at_file(question, link);
}

/* The kernel has such a link for each area that is of a file or shared. */
static bool is_one_area(const struct question *question, const char *link)
{
	struct stat st;

	return question->record.sharing == PMEM2_SHARED && !lstat(link, &st);
}

static void look(struct batch *batch, struct question *question)
{
	const struct pmem2fs_record *record = &question->record;
	struct facts *facts = &question->facts;
	char link[LINK_SIZE];

	question->looked = batch->begun;
	facts->owner = owner_get(batch->owner);
	name_link(link, batch->witness->keeper, record->address,
		  record->address + extents_whole(record->length));
	if (record->source_type == PMEM2FS_SOURCE_ANONYMOUS) {
		facts->size = record->source_size;
		facts->size_known = true;
		if (!is_one_area(question, link))
			look_at_parts(batch, question, link);
		return;
	}
	if (!look_at_file(question, link))
		look_at_file_in_parts(batch, question, link);
	check_mounted(batch, question);
	if (record->source_type == PMEM2FS_SOURCE_DEVDAX && !is_gone(facts))
		facts->size_known = devdax_size(record->source_rdev, &facts->size);
	look_below(batch->witness, question, link);
}

static void run_batch(struct task *task)
{
	struct batch *batch = (struct batch *)task;

	batch->begun = clock_now();
	batch->owner_looked_at = batch->begun - batch->witness->owner_checked >= WITNESS_FRESH;
	if (batch->owner_looked_at)
		batch->owner = proc_owner(batch->witness->keeper, batch->witness->owner);
	if (!batch->owner)
		batch->owner = owner_get(batch->witness->owner);
	for (size_t i = 0; i < batch->count; i++)
		look(batch, &batch->questions[i]);
}

static void batch_free(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		facts_clear(&batch->questions[i].facts);
	owner_put(batch->owner);
	free(batch->questions);
	free(batch);
}

static int start(struct witness *witness);

static void batch_done(struct task *task)
{
	struct batch *batch = (struct batch *)task;
	struct witness *witness = batch->witness;
	struct waiter *waiter, *next;

	witness->working = false;
	owner_put(witness->owner);
	witness->owner = owner_get(batch->owner);
	if (batch->owner_looked_at)
		witness->owner_checked = batch->begun;
	for (size_t i = 0; i < batch->count; i++) {
		struct question *question = &batch->questions[i];
		struct mapping *mapping = namespace_find_number(witness->names, question->number);

		if (!mapping)
			continue;
		mapping->asked = false;
		namespace_learn(witness->names, mapping, &question->facts, question->looked);
	}
	waiter = batch->waiters;
	batch_free(batch);
	if (start(witness)) { /* better old facts than none */
		*witness->collecting->waiters_end = waiter;
		waiter = witness->collecting->waiters;
		witness->collecting->waiters = NULL;
		witness->collecting->waiters_end = &witness->collecting->waiters;
	}
	for (; waiter; waiter = next) {
		next = waiter->next;
		waiter->wake(waiter);
	}
}

/* Has the batch that was collected worked on, unless one is. */
static int start(struct witness *witness)
{
	struct batch *batch = witness->collecting;
	int error;

	if (witness->working || !batch)
		return 0;
	batch->newest = namespace_newest(witness->names);
	error = pool_submit(witness->pool, &batch->task);
	if (error) {
		log_error("no thread to look at the mappings with");
		return error;
	}
	witness->working = true;
	witness->collecting = NULL;
	return 0;
}

static struct batch *collecting(struct witness *witness)
{
	struct batch *batch = witness->collecting;

	if (batch)
		return batch;
	batch = calloc(1, sizeof(*batch));
	if (!batch)
		return NULL;
	batch->task.run = run_batch;
	batch->task.done = batch_done;
	batch->witness = witness;
	batch->waiters_end = &batch->waiters;
	witness->collecting = batch;
	return batch;
}

static int add_question(struct batch *batch, struct mapping *mapping)
{
	struct question *question;

	if (batch->count == batch->room) {
		size_t room = batch->room ? batch->room * 2 : 64;
		struct question *larger = realloc(batch->questions, room * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		batch->questions = larger;
		batch->room = room;
	}
	question = &batch->questions[batch->count++];
	*question = (struct question){.number = mapping->number};
	version_record(mapping->version, &question->record);
	mapping->asked = true;
	return 0;
}

int witness_ask(struct witness *witness, struct mapping *mapping, unsigned more,
		struct waiter *waiter)
{
	struct batch *batch = collecting(witness);
	uint64_t now = clock_now();
	size_t place;
	int error;

	if (!batch)
		return -ENOMEM;
	/*
	 * A mapping that is asked about already is in this batch or in the one that is being worked
	 * on; waiting for this one is right in both cases.
	 */
	if (!mapping->asked && add_question(batch, mapping))
		return -ENOMEM;
	namespace_after(witness->names, mapping->number - 1, &place); /* the mapping itself */
	while (more-- && (mapping = namespace_next(witness->names, &place)))
		if (!mapping->asked && !witness_is_fresh(mapping, now) &&
		    add_question(batch, mapping))
			break;
	error = start(witness);
	if (error)
		return error;
	waiter->next = NULL; /* the thread does not look at the waiters */
	*batch->waiters_end = waiter;
	batch->waiters_end = &waiter->next;
	return 0;
}

struct owner *witness_owner(const struct witness *witness)
{
	return witness->owner;
}

struct witness *witness_new(struct name_space *names, struct pool *pool, pid_t keeper)
{
	struct witness *witness = calloc(1, sizeof(*witness));

	if (!witness)
		return NULL;
	witness->names = names;
	witness->pool = pool;
	witness->keeper = keeper;
	witness->owner = proc_owner(keeper, NULL);
	witness->owner_checked = clock_now();
	if (!witness->owner) {
		free(witness);
		return NULL;
	}
	return witness;
}

void witness_free(struct witness *witness)
{
	struct known_device *known, *next;

	if (!witness)
		return;
	for (known = witness->devices; known; known = next) {
		next = known->next;
		device_put(known->device);
		free(known);
	}
	if (witness->collecting)
		batch_free(witness->collecting);
	maps_clear(&witness->maps);
	owner_put(witness->owner);
	free(witness);
}
