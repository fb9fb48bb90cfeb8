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
#include "mountinfo.h"
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

struct question {
	uint64_t number;
	struct pmem2fs_record record; /* its label is not filled in */
	struct facts facts;           /* the answer */
};

struct batch {
	struct task task; /* first */
	struct witness *witness;
	uint64_t begun;
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
};

static char *read_link(const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		return NULL;
	target[n] = '\0';
	return strdup(target);
}

static char *read_line_of(pid_t pid, const char *name)
{
	char path[64], *line = NULL;
	size_t size = 0;
	ssize_t n;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	file = fopen(path, "re");
	if (!file)
		return NULL;
	n = getline(&line, &size, file);
	fclose(file);
	if (n <= 0) {
		free(line);
		return NULL;
	}
	if (line[n - 1] == '\n')
		line[n - 1] = '\0';
	return line;
}

/* Start of a process as time of day: boot time plus field 22 of its stat. */
static uint64_t started_at(pid_t pid)
{
	char *stat = read_line_of(pid, "stat"), *at;
	struct timespec day, boot;
	unsigned long long ticks;
	uint64_t started = 0;

	/* The name in parentheses may hold anything; behind the last one the fields are plain. */
	at = stat ? strrchr(stat, ')') : NULL;
	if (at && sscanf(at + 1,
			 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			 "%*d %*d %llu",
			 &ticks) == 1) {
		uint64_t since_boot = ticks * (CLOCK_SECOND / (uint64_t)sysconf(_SC_CLK_TCK));

		clock_gettime(CLOCK_REALTIME, &day);
		clock_gettime(CLOCK_BOOTTIME, &boot);
		started = (uint64_t)day.tv_sec * CLOCK_SECOND + (uint64_t)day.tv_nsec -
			  (uint64_t)boot.tv_sec * CLOCK_SECOND - (uint64_t)boot.tv_nsec +
			  since_boot;
		started -= started % (CLOCK_SECOND / (uint64_t)sysconf(_SC_CLK_TCK));
	}
	free(stat);
	return started;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* The unit that a process belongs to: its cgroup of version 2, or systemd's of version 1. */
static char *read_cgroup(pid_t pid)
{
	static const char *const hierarchies[] = {"0::", "name=systemd:"};
	char path[64], *line = NULL, *found, *cgroup = NULL;
	size_t size = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	file = fopen(path, "re");
	while (file && !cgroup && getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		for (size_t i = 0; !cgroup && i < sizeof(hierarchies) / sizeof(*hierarchies); i++)
			if ((found = strstr(line, hierarchies[i])))
				cgroup = strdup(found + strlen(hierarchies[i]));
	}
	free(line);
	if (file)
		fclose(file);
	return cgroup;
}

/* The owner as it is now: the old object when nothing has changed. NULL when memory runs out. */
static struct owner *look_at_owner(pid_t pid, struct owner *old)
{
	struct owner *owner = calloc(1, sizeof(*owner));
	char path[64];

	if (!owner)
		return NULL;
	owner->references = 1;
	owner->is.pid = pid;
	owner->is.comm = read_line_of(pid, "comm");
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	owner->is.exe = read_link(path);
	owner->is.cgroup = read_cgroup(pid);
	owner->is.started = old ? old->is.started : started_at(pid);
	if (old && same_text(old->is.comm, owner->is.comm) &&
	    same_text(old->is.exe, owner->is.exe) && same_text(old->is.cgroup, owner->is.cgroup)) {
		owner_put(owner);
		return owner_get(old);
	}
	return owner;
}

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

/* The bad ranges of the source that are within the mapping, relative to it. */
static int look_at_badblocks(struct question *question, int fd)
{
	uint64_t begin = question->record.offset, end = begin + question->record.length;
	struct pmem2_badblock_context *context = NULL;
	struct pmem2_source *source = NULL;
	struct pmem2_badblock bad;
	int error;

	error = pmem2_source_from_fd(&source, fd);
	if (!error)
		error = pmem2_badblock_context_new(&context, source);
	while (!error) {
		error = pmem2_badblock_next(context, &bad);
		if (!error && bad.offset < end && bad.offset + bad.length > begin) {
			uint64_t from = bad.offset > begin ? bad.offset : begin;
			uint64_t to = bad.offset + bad.length < end ? bad.offset + bad.length : end;

			error = add_badblock(&question->facts, from - begin, to - from);
		}
	}
	pmem2_badblock_context_delete(&context);
	pmem2_source_delete(&source);
	return error == PMEM2_E_NO_BAD_BLOCK_FOUND ? 0 : error;
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
	if (!known->badblocks_known || !known->badblock_count)
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
 * file system there that hangs.
 */
static void look_at_file(struct question *question, const char *link)
{
	static const char mark[] = " (deleted)";
	const struct pmem2fs_record *record = &question->record;
	struct facts *facts = &question->facts;
	struct statx st;
	bool marked, seen;
	size_t length;

	facts->path = read_link(link);
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

static void look(struct batch *batch, struct question *question)
{
	const struct pmem2fs_record *record = &question->record;
	struct facts *facts = &question->facts;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	char link[96];

	facts->owner = owner_get(batch->owner);
	if (record->source_type == PMEM2FS_SOURCE_ANONYMOUS) {
		facts->size = record->source_size;
		facts->size_known = true;
		return;
	}
	snprintf(link, sizeof(link), "/proc/%d/map_files/%lx-%lx", (int)batch->witness->keeper,
		 record->address, record->address + (record->length + page - 1) / page * page);
	look_at_file(question, link);
	check_mounted(batch, question);
	if (record->source_type == PMEM2FS_SOURCE_DEVDAX)
		facts->size_known = devdax_size(record->source_rdev, &facts->size);
	look_below(batch->witness, question, link);
}

static void run_batch(struct task *task)
{
	struct batch *batch = (struct batch *)task;

	batch->begun = clock_now();
	batch->owner_looked_at = batch->begun - batch->witness->owner_checked >= WITNESS_FRESH;
	if (batch->owner_looked_at)
		batch->owner = look_at_owner(batch->witness->keeper, batch->witness->owner);
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
		namespace_learn(witness->names, mapping, &question->facts, batch->begun);
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
	witness->owner = look_at_owner(keeper, NULL);
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
	owner_put(witness->owner);
	free(witness);
}
