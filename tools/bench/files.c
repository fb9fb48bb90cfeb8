// SPDX-License-Identifier: BSD-3-Clause
/*
 * files.c - mappings as files, against files on tmpfs
 *
 * Both sides hold the same names with the same bytes in them: each mapping's document is copied
 * into the file of tmpfs that has its name. Names are looked up relative to an open folder, so that
 * no cost of a path that both sides share hides the difference.
 *
 * Entries of the mount are valid in the kernel for a second. The quick measurements walk over all
 * names again and again, a slice per round, for longer than that: nearly all rounds find the names
 * in the kernel, a few look them up again, and `overall` has both by their weight.
 * Calls fixture.c, memory.c, report.c, interrupt.c and message.c.
 */
#include "bench/files.h"
#include "base/clock.h"
#include "bench/comparison.h"
#include "bench/fixture.h"
#include "bench/interrupt.h"
#include "bench/memory.h"
#include "bench/message.h"
#include "bench/options.h"
#include "bench/report.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_SIZE     24
#define REQUEST_SIZE  512
#define DOCUMENT_SIZE (64 * 1024)
#define SLICE         1000u /* names per round where all are walked over */
#define BATCHES       100u  /* rounds of create and rm */
#define SLOW_ROUNDS   10u   /* of measurements that wait first */
#define EXPIRY_MS     1200  /* longer than entries are valid by default */
#define BUSY_MAX      1000u /* how often rm may say EBUSY in a run */
#define FORGET_MS     300   /* for the worker to forget what the kernel dropped */

struct tree {
	const struct fixture *fixture;
	struct report *report;
	size_t count, batch;
	int fd[2]; /* the two folders */
	char (*names)[NAME_SIZE];
	char (*requests)[REQUEST_SIZE]; /* of one batch */
	char (*listed)[NAME_SIZE];
	char *document;
	bool cold; /* list_work: drop what the kernel knows of the mount first */
};

static int failed(const char *operation, const struct tree *tree, unsigned side, const char *name)
{
	int err = -errno;

	message_error("%s %s/%s: %m", operation, tree->fixture->side[side], name);
	return err;
}

/* The next names of a walk that goes on where the last round ended. */
static size_t slice_of(const struct tree *tree)
{
	return tree->count < SLICE ? tree->count : SLICE;
}

static const char *walk(const struct tree *tree, size_t round, size_t i)
{
	return tree->names[(round * slice_of(tree) + i) % tree->count];
}

static int stat_names(const struct tree *tree, unsigned side, size_t round, size_t count,
		      struct sample *sample)
{
	uint64_t start = clock_now();
	struct stat st;

	for (size_t i = 0; i < count; i++) {
		const char *name = walk(tree, round, i);

		if (fstatat(tree->fd[side], name, &st, 0))
			return failed("stat", tree, side, name);
	}
	*sample = (struct sample){.ns = clock_now() - start, .operations = count};
	return 0;
}

static int stat_work(void *context, unsigned side, size_t round, struct sample *sample)
{
	const struct tree *tree = context;

	return stat_names(tree, side, round, slice_of(tree), sample);
}

static int expired_work(void *context, unsigned side, size_t round, struct sample *sample)
{
	const struct tree *tree = context;

	(void)round;
	if (side == 0 && interrupt_sleep(EXPIRY_MS))
		return -EINTR;
	return stat_names(tree, side, 0, tree->count, sample);
}

/* Reads the file as cat would when its buffer is large enough; *length may be NULL. */
static int read_name(const struct tree *tree, unsigned side, const char *name, size_t *length)
{
	int fd = openat(tree->fd[side], name, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return failed("open", tree, side, name);
	got = read(fd, tree->document, DOCUMENT_SIZE);
	if (got <= 0) {
		int err;

		if (got == 0)
			errno = ENODATA;
		err = failed("read", tree, side, name);
		close(fd);
		return err;
	}
	close(fd);
	if (length)
		*length = (size_t)got;
	return 0;
}

static int read_work(void *context, unsigned side, size_t round, struct sample *sample)
{
	const struct tree *tree = context;
	size_t count = slice_of(tree);
	uint64_t start = clock_now();

	for (size_t i = 0; i < count; i++) {
		int err = read_name(tree, side, walk(tree, round, i), NULL);

		if (err)
			return err;
	}
	*sample = (struct sample){.ns = clock_now() - start, .operations = count};
	return 0;
}

static DIR *open_folder(const struct tree *tree, unsigned side)
{
	int fd = openat(tree->fd[side], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	if (!folder && fd >= 0)
		close(fd);
	return folder;
}

enum list_kind { LIST_NAMES, LIST_SORTED, LIST_LONG };

static int compare_names(const void *left, const void *right)
{
	return strcmp(left, right);
}

static int list_folder(struct tree *tree, unsigned side, enum list_kind kind, struct sample *sample)
{
	uint64_t start = clock_now();
	const struct dirent *entry;
	size_t count = 0;
	struct stat st;
	int err = 0;
	DIR *folder;

	folder = open_folder(tree, side);
	if (!folder)
		return failed("list", tree, side, ".");
	while (errno = 0, entry = readdir(folder)) {
		if (entry->d_name[0] == '.')
			continue;
		if (count == tree->count) {
			message_error("%s: lists more than %zu files: %s",
				      tree->fixture->side[side], tree->count, entry->d_name);
			err = -EEXIST;
			goto close;
		}
		if (kind == LIST_SORTED) {
			size_t length = strnlen(entry->d_name, NAME_SIZE - 1);

			memcpy(tree->listed[count], entry->d_name, length);
			tree->listed[count][length] = '\0';
		}
		if (kind == LIST_LONG &&
		    fstatat(tree->fd[side], entry->d_name, &st, AT_SYMLINK_NOFOLLOW)) {
			err = failed("stat", tree, side, entry->d_name);
			goto close;
		}
		count++;
	}
	if (errno) {
		err = failed("list", tree, side, ".");
		goto close;
	}
	if (kind == LIST_SORTED)
		qsort(tree->listed, count, NAME_SIZE, compare_names);
close:
	closedir(folder);
	if (!err && count != tree->count) {
		message_error("%s: lists %zu of %zu files", tree->fixture->side[side], count,
			      tree->count);
		err = -ENOENT;
	}
	*sample = (struct sample){.ns = clock_now() - start, .operations = 1};
	return err;
}

static int list_work(void *context, unsigned side, size_t round, struct sample *sample)
{
	(void)round;
	return list_folder(context, side, LIST_NAMES, sample);
}

static int list_sorted_work(void *context, unsigned side, size_t round, struct sample *sample)
{
	(void)round;
	return list_folder(context, side, LIST_SORTED, sample);
}

/*
 * Remounting drops every entry and inode of this one file system that is not in use, so that the
 * next look at it is the first one. On tmpfs nothing can be dropped: its files are in the cache
 * only.
 */
static int drop_caches(const struct tree *tree)
{
	if (!tree->cold)
		return 0;
	if (mount(NULL, tree->fixture->side[0], NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, NULL))
		return failed("remount", tree, 0, "");
	return interrupt_sleep(FORGET_MS);
}

static int list_long_work(void *context, unsigned side, size_t round, struct sample *sample)
{
	struct tree *tree = context;

	(void)round;
	if (side == 0) {
		int err = drop_caches(tree);

		if (err)
			return err;
	}
	return list_folder(tree, side, LIST_LONG, sample);
}

/* How many names batch `round` has: the last one may be smaller. */
static size_t batch_of(const struct tree *tree, size_t round)
{
	size_t first = round * tree->batch;

	return tree->count - first < tree->batch ? tree->count - first : tree->batch;
}

static int write_file(const struct tree *tree, unsigned side, const char *name, const char *text,
		      size_t length)
{
	int fd = openat(tree->fd[side], name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t put;
	int err = 0;

	if (fd < 0)
		return failed("create", tree, side, name);
	put = write(fd, text, length);
	if (put != (ssize_t)length) {
		if (put >= 0)
			errno = EIO;
		err = failed("write", tree, side, name);
	}
	close(fd);
	return err;
}

static int create_work(void *context, unsigned side, size_t round, struct sample *sample)
{
	const struct tree *tree = context;
	size_t first = round * tree->batch, count = batch_of(tree, round);
	long page = sysconf(_SC_PAGESIZE);
	uint64_t start;

	for (size_t i = 0; i < count; i++)
		snprintf(tree->requests[i], REQUEST_SIZE,
			 "{\"source\":{\"path\":\"%s\",\"offset\":%zu},\"length\":%ld}\n",
			 tree->fixture->source, (first + i) * (size_t)page, page);
	start = clock_now();
	for (size_t i = 0; i < count; i++) {
		int err = write_file(tree, side, tree->names[first + i], tree->requests[i],
				     strlen(tree->requests[i]));

		if (err)
			return err;
	}
	*sample = (struct sample){.ns = clock_now() - start, .operations = count};
	return 0;
}

static int remove_work(void *context, unsigned side, size_t round, struct sample *sample)
{
	const struct tree *tree = context;
	size_t first = round * tree->batch, count = batch_of(tree, round);
	uint64_t start = clock_now();

	for (size_t i = 0; i < count; i++) {
		/* The daemon may be too busy for one to be unmapped in time: ask again, as people
		 * do. */
		while (unlinkat(tree->fd[side], tree->names[first + i], 0)) {
			if (errno != EBUSY || tree->report->busy == BUSY_MAX)
				return failed("rm", tree, side, tree->names[first + i]);
			tree->report->busy++;
		}
	}
	*sample = (struct sample){.ns = clock_now() - start, .operations = count};
	return 0;
}

/* Gives each file of tmpfs the bytes of the document with its name. */
static int copy_documents(const struct tree *tree, struct report *report)
{
	for (size_t i = 0; i < tree->count; i++) {
		size_t length = 0;
		int err;

		if (interrupt_pending)
			return -EINTR;
		err = read_name(tree, 0, tree->names[i], &length);
		if (!err)
			err = write_file(tree, 1, tree->names[i], tree->document, length);
		if (err)
			return err;
		if (i == 0)
			report->document_size = length;
	}
	return 0;
}

/* What the daemon needs once, with its first mapping, is not what a mapping needs. */
static int warm_daemon_up(const struct tree *tree)
{
	static const char request[] = "{\"source\":{\"type\":\"anonymous\",\"size\":4096}}\n";
	int err;

	err = write_file(tree, 0, "warm-up", request, sizeof(request) - 1);
	if (!err)
		err = read_name(tree, 0, "warm-up", NULL);
	if (!err && unlinkat(tree->fd[0], "warm-up", 0))
		err = failed("rm", tree, 0, "warm-up");
	return err;
}

struct item {
	const char *name, *what;
	double target;
	int (*work)(void *context, unsigned side, size_t round, struct sample *sample);
	enum measurement which;
	bool slow; /* few rounds, each after a wait */
};

static const struct item repeatable[] = {
	{"stat", "fstatat of all names in turn, again and again", 1.5, stat_work, MEASURE_STAT,
	 false},
	{"open+read+close", "of all names in turn, again and again", 2, read_work, MEASURE_READ,
	 false},
	{"ls -U", "opendir + readdir of all names + closedir", 1.2, list_work, MEASURE_LIST, false},
	{"ls", "the same, and names sorted", 0, list_sorted_work, MEASURE_LIST_SORTED, false},
	{"stat, expired",
	 "fstatat of all names once, 1.2 s after the last: each is looked up again", 0,
	 expired_work, MEASURE_EXPIRED, true},
	{"first ls -l",
	 "readdir + lstat of each name; the mount is remounted before, which drops its entries and "
	 "inodes from the kernel (those of tmpfs cannot be dropped)",
	 0, list_long_work, MEASURE_LIST_LONG, true},
};

static int measure_repeatable(struct tree *tree, struct report *report)
{
	const struct options *options = report->options;
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(repeatable) / sizeof(*repeatable); i++) {
		const struct item *item = &repeatable[i];
		struct comparison_plan plan = {
			.name = item->name,
			.what = item->what,
			.peers = {{.name = "tmpfs", .target = item->target}},
			.work = item->work,
			.context = tree,
		};

		if (!options_want(options, item->which))
			continue;
		if (item->slow) {
			plan.rounds = options->rounds < SLOW_ROUNDS ? options->rounds : SLOW_ROUNDS;
		} else {
			plan.rounds = options->rounds;
			plan.ns = (uint64_t)(options->seconds * 1e9);
			/* One walk, so that each name was seen once. */
			plan.warm_up = (tree->count + SLICE - 1) / SLICE;
		}
		err = report_measure(report, &plan);
	}
	return err;
}

/* Each name can be made and removed only once, so these measure however many there are. */
static int measure_once(struct tree *tree, struct report *report, enum measurement which)
{
	struct comparison_plan plan = {
		.name = which == MEASURE_CREATE ? "create" : "rm",
		.what = which == MEASURE_CREATE ? "open + write of a request (maps) + close"
						: "unlink (unmaps)",
		.peers = {{.name = "tmpfs"}},
		.rounds = (tree->count + tree->batch - 1) / tree->batch,
		.work = which == MEASURE_CREATE ? create_work : remove_work,
		.context = tree,
	};
	struct comparison_row unwanted;

	if (options_want(report->options, which))
		return report_measure(report, &plan);
	return comparison_run(&plan, &unwanted);
}

static int sample_memory(const struct tree *tree, unsigned when)
{
	struct report *report = tree->report;
	int err = memory_sample(tree->fixture->keeper, when, &report->keeper, &report->worker);

	if (!err)
		report->have_memory = when == 2;
	return err;
}

static int measure_all(struct tree *tree, struct report *report)
{
	bool memory = options_want(report->options, MEASURE_MEMORY) && tree->fixture->keeper;
	struct sample unused;
	int err;

	err = tree->fixture->keeper ? warm_daemon_up(tree) : 0;
	if (!err && memory)
		err = sample_memory(tree, 0);
	if (!err)
		err = measure_once(tree, report, MEASURE_CREATE);
	if (!err)
		err = copy_documents(tree, report);
	if (!err)
		err = list_folder(tree, 0, LIST_LONG, &unused);
	if (!err && memory)
		err = sample_memory(tree, 1);
	if (!err)
		err = measure_repeatable(tree, report);
	if (!err)
		err = measure_once(tree, report, MEASURE_REMOVE);
	if (!err && memory)
		err = sample_memory(tree, 2);
	return err;
}

/* After a failure: the mount and our tmpfs take their files along, another's folder does not. */
static void empty_peer(const struct tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		unlinkat(tree->fd[0], tree->names[i], 0);
}

int files_measure(const struct fixture *fixture, struct report *report)
{
	struct tree tree = {
		.fixture = fixture,
		.report = report,
		.count = report->options->mappings,
		.batch = (report->options->mappings + BATCHES - 1) / BATCHES,
		.fd = {-1, -1},
		.cold = !report->options->peer,
	};
	int err = -ENOMEM;

	tree.names = calloc(tree.count, NAME_SIZE);
	tree.listed = calloc(tree.count, NAME_SIZE);
	tree.requests = calloc(tree.batch, REQUEST_SIZE);
	tree.document = malloc(DOCUMENT_SIZE);
	if (!tree.names || !tree.listed || !tree.requests || !tree.document) {
		message_error("%zu mappings: %s", tree.count, strerror(ENOMEM));
		goto free_all;
	}
	for (size_t i = 0; i < tree.count; i++)
		snprintf(tree.names[i], NAME_SIZE, "mapping-%07u", (unsigned)i);
	for (unsigned side = 0; side < 2; side++) {
		tree.fd[side] = open(fixture->side[side], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (tree.fd[side] < 0) {
			err = failed("open", &tree, side, "");
			goto close_folders;
		}
	}
	err = measure_all(&tree, report);
	if (err && !fixture->keeper)
		empty_peer(&tree);
	if (err && fixture->keeper && err != -EINTR)
		fixture_print_log(fixture);
close_folders:
	for (unsigned side = 0; side < 2; side++)
		if (tree.fd[side] >= 0)
			close(tree.fd[side]);
free_all:
	free(tree.document);
	free(tree.requests);
	free(tree.listed);
	free(tree.names);
	return err;
}
