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

struct file_set {
	const struct fixture *fixture;
	struct report *report;
	size_t count, batch;
	int fd[2]; /* the two folders */
	char (*names)[NAME_SIZE];
	char (*requests)[REQUEST_SIZE]; /* of one batch */
	char (*listed)[NAME_SIZE];
	char *document;
};

static int file_failed(const char *operation, const struct file_set *files, unsigned side,
		       const char *name)
{
	int err = -errno;

	message_error("%s %s/%s: %m", operation, files->fixture->side[side], name);
	return err;
}

/* The next names of a walk that goes on where the last round ended. */
static size_t slice_of(const struct file_set *files)
{
	return files->count < SLICE ? files->count : SLICE;
}

static const char *walk(const struct file_set *files, size_t round, size_t i)
{
	return files->names[(round * slice_of(files) + i) % files->count];
}

static int stat_names(const struct file_set *files, unsigned side, size_t round, size_t count,
		      struct sample *sample)
{
	uint64_t start = clock_now();
	struct stat st;

	for (size_t i = 0; i < count; i++) {
		const char *name = walk(files, round, i);

		if (fstatat(files->fd[side], name, &st, 0))
			return file_failed("stat", files, side, name);
	}
	*sample = (struct sample){.ns = clock_now() - start, .operations = count};
	return 0;
}

static int stat_work(void *context, unsigned side, size_t round, struct sample *sample)
{
	const struct file_set *files = context;

	return stat_names(files, side, round, slice_of(files), sample);
}

static int expired_work(void *context, unsigned side, size_t round, struct sample *sample)
{
	const struct file_set *files = context;

	(void)round;
	if (side == 0 && interrupt_sleep(EXPIRY_MS))
		return -EINTR;
	return stat_names(files, side, 0, files->count, sample);
}

/* Reads the file as cat would when its buffer is large enough; *length may be NULL. */
static int read_name(const struct file_set *files, unsigned side, const char *name, size_t *length)
{
	int fd = openat(files->fd[side], name, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return file_failed("open", files, side, name);
	got = read(fd, files->document, DOCUMENT_SIZE);
	if (got <= 0) {
		int err;

		if (got == 0)
			errno = ENODATA;
		err = file_failed("read", files, side, name);
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
	const struct file_set *files = context;
	size_t count = slice_of(files);
	uint64_t start = clock_now();

	for (size_t i = 0; i < count; i++) {
		int err = read_name(files, side, walk(files, round, i), NULL);

		if (err)
			return err;
	}
	*sample = (struct sample){.ns = clock_now() - start, .operations = count};
	return 0;
}

static DIR *open_folder(const struct file_set *files, unsigned side)
{
	int fd = openat(files->fd[side], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

static int list_folder(struct file_set *files, unsigned side, enum list_kind kind,
		       struct sample *sample)
{
	uint64_t start = clock_now();
	const struct dirent *entry;
	size_t count = 0;
	struct stat st;
	int err = 0;
	DIR *folder;

	folder = open_folder(files, side);
	if (!folder)
		return file_failed("list", files, side, ".");
	while (errno = 0, entry = readdir(folder)) {
		if (entry->d_name[0] == '.')
			continue;
		if (count == files->count) {
			message_error("%s: lists more than %zu files: %s",
				      files->fixture->side[side], files->count, entry->d_name);
			err = -EEXIST;
			goto close;
		}
		if (kind == LIST_SORTED) {
			size_t length = strnlen(entry->d_name, NAME_SIZE - 1);

			memcpy(files->listed[count], entry->d_name, length);
			files->listed[count][length] = '\0';
		}
		if (kind == LIST_LONG &&
		    fstatat(files->fd[side], entry->d_name, &st, AT_SYMLINK_NOFOLLOW)) {
			err = file_failed("stat", files, side, entry->d_name);
			goto close;
		}
		count++;
	}
	if (errno) {
		err = file_failed("list", files, side, ".");
		goto close;
	}
	if (kind == LIST_SORTED)
		qsort(files->listed, count, NAME_SIZE, compare_names);
close:
	closedir(folder);
	if (!err && count != files->count) {
		message_error("%s: lists %zu of %zu files", files->fixture->side[side], count,
			      files->count);
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

static int list_long_work(void *context, unsigned side, size_t round, struct sample *sample)
{
	struct file_set *files = context;

	(void)round;
	if (side == 0 && files->fixture->keeper) {
		int err = fixture_drop_caches(files->fixture);

		if (err)
			return err;
	}
	return list_folder(files, side, LIST_LONG, sample);
}

/* How many names batch `round` has: the last one may be smaller. */
static size_t batch_of(const struct file_set *files, size_t round)
{
	size_t first = round * files->batch;

	return files->count - first < files->batch ? files->count - first : files->batch;
}

static int write_file(const struct file_set *files, unsigned side, const char *name,
		      const char *text, size_t length)
{
	int fd = openat(files->fd[side], name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t put;
	int err = 0;

	if (fd < 0)
		return file_failed("create", files, side, name);
	put = write(fd, text, length);
	if (put != (ssize_t)length) {
		if (put >= 0)
			errno = EIO;
		err = file_failed("write", files, side, name);
	}
	close(fd);
	return err;
}

static int create_work(void *context, unsigned side, size_t round, struct sample *sample)
{
	const struct file_set *files = context;
	size_t first = round * files->batch, count = batch_of(files, round);
	long page = sysconf(_SC_PAGESIZE);
	uint64_t start;

	for (size_t i = 0; i < count; i++)
		snprintf(files->requests[i], REQUEST_SIZE,
			 "{\"source\":{\"path\":\"%s\",\"offset\":%zu},\"length\":%ld}\n",
			 files->fixture->source, (first + i) * (size_t)page, page);
	start = clock_now();
	for (size_t i = 0; i < count; i++) {
		int err = write_file(files, side, files->names[first + i], files->requests[i],
				     strlen(files->requests[i]));

		if (err)
			return err;
	}
	*sample = (struct sample){.ns = clock_now() - start, .operations = count};
	return 0;
}

static int remove_work(void *context, unsigned side, size_t round, struct sample *sample)
{
	const struct file_set *files = context;
	size_t first = round * files->batch, count = batch_of(files, round);
	uint64_t start = clock_now();

	for (size_t i = 0; i < count; i++) {
		/* The daemon may be too busy to unmap it in time: try again, as users do. */
		while (unlinkat(files->fd[side], files->names[first + i], 0)) {
			if (errno != EBUSY || files->report->busy == BUSY_MAX)
				return file_failed("rm", files, side, files->names[first + i]);
			files->report->busy++;
		}
	}
	*sample = (struct sample){.ns = clock_now() - start, .operations = count};
	return 0;
}

/* Gives each file of tmpfs the bytes of the document with its name. */
static int copy_documents(const struct file_set *files, struct report *report)
{
	for (size_t i = 0; i < files->count; i++) {
		size_t length = 0;
		int err;

		if (interrupt_pending)
			return -EINTR;
		err = read_name(files, 0, files->names[i], &length);
		if (!err)
			err = write_file(files, 1, files->names[i], files->document, length);
		if (err)
			return err;
		if (i == 0)
			report->document_size = length;
	}
	return 0;
}

/* What the daemon needs once, with its first mapping, is not what a mapping needs. */
static int warm_daemon_up(const struct file_set *files)
{
	static const char request[] = "{\"source\":{\"type\":\"anonymous\",\"size\":4096}}\n";
	int err;

	err = write_file(files, 0, "warm-up", request, sizeof(request) - 1);
	if (!err)
		err = read_name(files, 0, "warm-up", NULL);
	if (!err && unlinkat(files->fd[0], "warm-up", 0))
		err = file_failed("rm", files, 0, "warm-up");
	return err;
}

struct file_measurement {
	const char *name, *what;
	double target;
	int (*work)(void *context, unsigned side, size_t round, struct sample *sample);
	enum measurement which;
	bool slow; /* few rounds, each after a wait */
};

static const struct file_measurement repeatable[] = {
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

static int measure_repeatable(struct file_set *files, struct report *report)
{
	const struct options *options = report->options;
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(repeatable) / sizeof(*repeatable); i++) {
		const struct file_measurement *measured = &repeatable[i];
		struct comparison_plan plan = {
			.name = measured->name,
			.what = measured->what,
			.peers = {{.name = "tmpfs", .target = measured->target}},
			.work = measured->work,
			.context = files,
		};

		if (!options_want(options, measured->which))
			continue;
		if (measured->slow) {
			plan.rounds = options->rounds < SLOW_ROUNDS ? options->rounds : SLOW_ROUNDS;
		} else {
			plan.rounds = options->rounds;
			plan.ns = (uint64_t)(options->seconds * 1e9);
			/* One walk, so that each name was seen once. */
			plan.warm_up = (files->count + SLICE - 1) / SLICE;
		}
		err = report_measure(report, &plan);
	}
	return err;
}

/* Each name can be made and removed only once, so these measure however many there are. */
static int measure_once(struct file_set *files, struct report *report, enum measurement which)
{
	struct comparison_plan plan = {
		.name = which == MEASURE_CREATE ? "create" : "rm",
		.what = which == MEASURE_CREATE ? "open + write of a request (maps) + close"
						: "unlink (unmaps)",
		.peers = {{.name = "tmpfs"}},
		.rounds = (files->count + files->batch - 1) / files->batch,
		.work = which == MEASURE_CREATE ? create_work : remove_work,
		.context = files,
	};
	struct comparison_row unwanted;

	if (options_want(report->options, which))
		return report_measure(report, &plan);
	return comparison_run(&plan, &unwanted);
}

static int sample_memory(const struct file_set *files, unsigned when)
{
	struct report *report = files->report;
	int err = memory_sample(files->fixture->keeper, when, &report->keeper, &report->worker);

	if (!err)
		report->have_memory = when == 2;
	return err;
}

static int measure_all(struct file_set *files, struct report *report)
{
	bool memory = options_want(report->options, MEASURE_MEMORY) && files->fixture->keeper;
	struct sample unused;
	int err;

	err = files->fixture->keeper ? warm_daemon_up(files) : 0;
	if (!err && memory)
		err = sample_memory(files, 0);
	if (!err)
		err = measure_once(files, report, MEASURE_CREATE);
	if (!err)
		err = copy_documents(files, report);
	if (!err)
		err = list_folder(files, 0, LIST_LONG, &unused);
	if (!err && memory)
		err = sample_memory(files, 1);
	if (!err)
		err = measure_repeatable(files, report);
	if (!err)
		err = measure_once(files, report, MEASURE_REMOVE);
	if (!err && memory)
		err = sample_memory(files, 2);
	return err;
}

/* After a failure: the mount and our tmpfs take their files along, another's folder does not. */
static void empty_peer(const struct file_set *files)
{
	for (size_t i = 0; i < files->count; i++)
		unlinkat(files->fd[0], files->names[i], 0);
}

int files_measure(const struct fixture *fixture, struct report *report)
{
	struct file_set files = {
		.fixture = fixture,
		.report = report,
		.count = report->options->mappings,
		.batch = (report->options->mappings + BATCHES - 1) / BATCHES,
		.fd = {-1, -1},
	};
	int err = -ENOMEM;

	files.names = calloc(files.count, NAME_SIZE);
	files.listed = calloc(files.count, NAME_SIZE);
	files.requests = calloc(files.batch, REQUEST_SIZE);
	files.document = malloc(DOCUMENT_SIZE);
	if (!files.names || !files.listed || !files.requests || !files.document) {
		message_error("%zu mappings: %s", files.count, strerror(ENOMEM));
		goto free_all;
	}
	for (size_t i = 0; i < files.count; i++)
		snprintf(files.names[i], NAME_SIZE, "mapping-%07u", (unsigned)i);
	for (unsigned side = 0; side < 2; side++) {
		files.fd[side] = open(fixture->side[side], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (files.fd[side] < 0) {
			err = file_failed("open", &files, side, "");
			goto close_folders;
		}
	}
	err = measure_all(&files, report);
	if (err && !fixture->keeper)
		empty_peer(&files);
	if (err && fixture->keeper && err != -EINTR)
		fixture_print_log(fixture);
close_folders:
	for (unsigned side = 0; side < 2; side++)
		if (files.fd[side] >= 0)
			close(files.fd[side]);
free_all:
	free(files.document);
	free(files.requests);
	free(files.listed);
	free(files.names);
	return err;
}
