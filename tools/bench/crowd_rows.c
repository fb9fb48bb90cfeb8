// SPDX-License-Identifier: BSD-3-Clause
/*
 * crowd_rows.c - what people do about a crowd, against what they would do without pmem2fs
 *
 * Owns the rows and their targets. Listings are made by the bench itself, without sorting and
 * printing, since these costs are the same on both sides. Calls crowd.c, fixture.c, report.c,
 * interrupt.c and message.c.
 */
#include "bench/crowd_rows.h"
#include "base/clock.h"
#include "bench/comparison.h"
#include "bench/crowd.h"
#include "bench/interrupt.h"
#include "bench/message.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS    10u
#define EXPIRY_MS 1100 /* after that the daemon scans all processes again */

/* What is timed. */
enum act {
	ACT_LIST, /* the mount */
	ACT_LIST_TMPFS,
	ACT_LIST_LONG, /* the mount */
	ACT_LIST_LONG_TMPFS,
};

struct crowd_row {
	const char *name, *what;
	bool rested; /* our side first waits until the result of the last scan has expired */
	bool cold; /* the kernel has no entries and inodes of the mount at the begin of our side */
	enum act acts[COMPARISON_SIDES_MAX];
	struct comparison_peer peers[COMPARISON_PEERS_MAX];
};

static const struct crowd_row rows[] = {
	{.name = "crowd ls -U",
	 .what = "opendir + readdir of all mappings of the crowd + closedir, again and again",
	 .acts = {ACT_LIST, ACT_LIST_TMPFS},
	 .peers = {{.name = "tmpfs", .target = 1.5}}},
	{.name = "crowd ls, rested",
	 .what = "the same, more than a second after the last",
	 .rested = true,
	 .acts = {ACT_LIST, ACT_LIST_TMPFS},
	 .peers = {{.name = "tmpfs"}}},
	{.name = "crowd first ls -l",
	 .what = "readdir + lstat of each name; the mount is remounted before, as for first ls -l",
	 .rested = true,
	 .cold = true,
	 .acts = {ACT_LIST_LONG, ACT_LIST_LONG_TMPFS},
	 .peers = {{.name = "tmpfs", .target = 3}}},
};

struct scene {
	struct crowd crowd;
	const struct crowd_row *row; /* that is measured */
};

/* With `other` not negative, also makes a file there for each name. */
static int list(const struct scene *scene, unsigned side, bool all, int other)
{
	const char *path = scene->crowd.fixture->side[side];
	DIR *folder = opendir(path);
	const struct dirent *entry;
	struct stat status;
	size_t count = 0;
	int err = 0;

	if (!folder) {
		message_error("%s: %m", path);
		return -EIO;
	}
	while (!err && (errno = 0, entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (all && fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW))
			err = -errno;
		if (other >= 0) {
			int fd = openat(other, entry->d_name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

			if (fd < 0)
				err = -errno;
			else
				close(fd);
		}
	}
	if (!err)
		err = -errno;
	closedir(folder);
	if (!err && count < crowd_size(&scene->crowd))
		err = -ENOENT;
	if (err)
		message_error("%s: lists %zu of %zu files: %s", path, count,
			      crowd_size(&scene->crowd), strerror(-err));
	return err;
}

static int do_act(const struct scene *scene, enum act act)
{
	switch (act) {
	case ACT_LIST:
	case ACT_LIST_TMPFS:
		return list(scene, act != ACT_LIST, false, -1);
	case ACT_LIST_LONG:
	case ACT_LIST_LONG_TMPFS:
		return list(scene, act != ACT_LIST_LONG, true, -1);
	}
	return -EINVAL;
}

static int prepare_ours(const struct scene *scene)
{
	int err = scene->row->cold ? fixture_drop_caches(scene->crowd.fixture) : 0;

	if (!err && scene->row->rested)
		err = interrupt_sleep(EXPIRY_MS);
	return err;
}

static int time_act(void *context, unsigned side, size_t round, struct sample *sample)
{
	const struct scene *scene = context;
	uint64_t start;
	int err;

	(void)round;
	err = side ? 0 : prepare_ours(scene);
	if (err)
		return err;
	start = clock_now();
	err = do_act(scene, scene->row->acts[side]);
	*sample = (struct sample){.ns = clock_now() - start, .operations = 1};
	return interrupt_pending ? -EINTR : err;
}

static int measure_row(struct scene *scene, const struct crowd_row *row, bool first,
		       struct report *report)
{
	const struct options *options = report->options;
	struct comparison_plan plan = {
		.name = row->name,
		.what = first ? row->what : NULL,
		.group = scene->crowd.shape->text,
		.warm_up = 1,
		.rounds = options->rounds < ROUNDS ? options->rounds : ROUNDS,
		.work = time_act,
		.context = scene,
	};

	memcpy(plan.peers, row->peers, sizeof(plan.peers));
	scene->row = row;
	return report_measure(report, &plan);
}

static int measure_rows(struct scene *scene, bool first, struct report *report)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows) && !err; i++)
		err = measure_row(scene, &rows[i], first, report);
	return err;
}

/* Gives tmpfs as many files of the same names. */
static int make_same(const struct scene *scene, int same)
{
	return list(scene, 0, false, same);
}

static void remove_same(const struct scene *scene)
{
	DIR *folder = opendir(scene->crowd.fixture->side[1]);
	const struct dirent *entry;

	if (!folder)
		return;
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(folder), entry->d_name, 0);
	closedir(folder);
}

static int measure_crowd(struct scene *scene, const struct library *ours,
			 const struct crowd_shape *shape, struct report *report)
{
	const struct fixture *fixture = scene->crowd.fixture;
	int same = open(fixture->side[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err, stopped;

	if (same < 0) {
		message_error("%s: %m", fixture->side[1]);
		return -EIO;
	}
	err = crowd_start(&scene->crowd, fixture, ours, shape);
	if (!err)
		err = make_same(scene, same);
	if (!err)
		err = measure_rows(scene, shape == report->options->crowds, report);
	remove_same(scene);
	stopped = crowd_stop(&scene->crowd);
	close(same);
	return err ? err : stopped;
}

int crowd_rows_measure(const struct fixture *fixture, const struct library *ours,
		       struct report *report)
{
	const struct options *options = report->options;
	struct scene scene = {.crowd.fixture = fixture};
	int err = 0;

	for (size_t i = 0; i < options->crowd_count && !err; i++)
		err = measure_crowd(&scene, ours, &options->crowds[i], report);
	if (err && err != -EINTR)
		fixture_print_log(fixture);
	return err;
}
