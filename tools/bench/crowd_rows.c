// SPDX-License-Identifier: BSD-3-Clause
/*
 * crowd_rows.c - what people do about a crowd, against what they would do without pmem2fs
 *
 * Owns the rows and their targets. Listings are made by the bench itself, without sorting and
 * printing, since these costs are the same on both sides. Other programs run as people run them,
 * with their output to /dev/null. Before the measurement each of them is run once and must find the
 * whole crowd, since one that fails may be quick. The CPU time of our side is that of keeper,
 * worker and command while the command runs. Calls crowd.c,
 * crowd_latency.c, cpu_time.c, fixture.c, program.c,
 * report.c, interrupt.c and message.c.
 */
#include "bench/crowd_rows.h"
#include "base/clock.h"
#include "bench/comparison.h"
#include "bench/cpu_time.h"
#include "bench/crowd.h"
#include "bench/crowd_latency.h"
#include "bench/interrupt.h"
#include "bench/message.h"
#include "bench/program.h"
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
	ACT_CAT_BESIDE_LIST, /* the time of both this and ACT_CAT is a 99th percentile */
	ACT_CAT,
	ACT_CAT_MAPS, /* from here on: programs */
	ACT_CTL_LIST,
	ACT_CTL_LIST_JSON,
	ACT_CTL_HOLDERS,
	ACT_LSOF,
	ACT_FUSER,
	ACTS,
};

struct command {
	const char *arguments[5];
	int status;       /* expected */
	const char *line; /* the beginning of the output lines that are counted; NULL: none are */
	size_t lines;     /* least number of such lines */
};

struct crowd_row {
	const char *name, *what;
	bool rested; /* our side first waits until the result of the last scan has expired */
	bool cold;  /* the kernel has no entries and inodes of the mount at the begin of our side */
	bool holds; /* needs lsof and fuser */
	enum act acts[COMPARISON_SIDES_MAX];
	struct comparison_peer peers[COMPARISON_PEERS_MAX];
};

static const struct crowd_row rows[] = {
	{.name = "crowd ls -U",
	 .what = "opendir + readdir of all mappings of the crowd + closedir, again and again",
	 .acts = {ACT_LIST, ACT_LIST_TMPFS},
	 .peers = {{.name = "tmpfs", .target = 1.5}}},
	{.name = "crowd ls, rested",
	 .what = "the same, more than a second after the last; cat maps is 'cat "
		 "/proc/[0-9]*/maps'",
	 .rested = true,
	 .acts = {ACT_LIST, ACT_CAT_MAPS, ACT_LIST_TMPFS},
	 .peers = {{.name = "cat maps", .target = 2}, {.name = "tmpfs"}}},
	{.name = "crowd first ls -l",
	 .what = "readdir + lstat of each name; the mount is remounted before, as for first ls -l",
	 .rested = true,
	 .cold = true,
	 .acts = {ACT_LIST_LONG, ACT_LIST_LONG_TMPFS},
	 .peers = {{.name = "tmpfs", .target = 3}}},
	{.name = "crowd list",
	 .what = "pmem2ctl list, more than a second after the last, as the two below",
	 .rested = true,
	 .acts = {ACT_CTL_LIST, ACT_CAT_MAPS},
	 .peers = {{.name = "cat maps", .target = 3}}},
	{.name = "crowd list --json",
	 .what = "pmem2ctl list --json",
	 .rested = true,
	 .acts = {ACT_CTL_LIST_JSON, ACT_CAT_MAPS},
	 .peers = {{.name = "cat maps", .target = 6}}},
	{.name = "crowd cat beside list",
	 .what = "stat + open + read + close of a mapping while pmem2ctl list runs, 99th "
		 "percentile",
	 .rested = true,
	 .acts = {ACT_CAT_BESIDE_LIST, ACT_CAT},
	 .peers = {{.name = "alone"}}},
	{.name = "crowd holders",
	 .what = "pmem2ctl holders, lsof and fuser of a file that all processes of the crowd map",
	 .rested = true,
	 .holds = true,
	 .acts = {ACT_CTL_HOLDERS, ACT_LSOF, ACT_FUSER},
	 .peers = {{.name = "lsof", .target = 1.5}, {.name = "fuser"}}},
};

struct scene {
	struct crowd crowd;
	struct cpu_time clocks;
	struct command commands[ACTS];
	struct crowd_names names;
	char file[CROWD_PATH_SIZE];
	const struct crowd_row *row; /* that is measured */
};

static void set_commands(struct scene *scene, const char *pmem2ctl)
{
	const struct crowd *crowd = &scene->crowd;
	struct command *commands = scene->commands;

	crowd_file(crowd, 0, scene->file);
	commands[ACT_CAT_MAPS] = (struct command){
		{"sh", "-c", "exec cat /proc/[0-9]*/maps"}, 0, "", crowd_size(crowd)};
	commands[ACT_CTL_LIST] = (struct command){{pmem2ctl, "list"}, 0, "", 1 + crowd_size(crowd)};
	commands[ACT_CTL_LIST_JSON] = (struct command){
		{pmem2ctl, "list", "--json"}, 0, "  \"name\": ", crowd_size(crowd)};
	/* Somebody holds the file. */
	commands[ACT_CTL_HOLDERS] = (struct command){
		{pmem2ctl, "holders", scene->file}, 1, "", 1 + crowd->shape->processes};
	commands[ACT_LSOF] =
		(struct command){{"lsof", scene->file}, 0, "crowd ", crowd->shape->processes};
	commands[ACT_FUSER] = (struct command){{"fuser", scene->file}, 0, NULL, 0};
}

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
	const struct command *command = &scene->commands[act];
	char said[PROGRAM_SAID_MAX];

	switch (act) {
	case ACT_LIST:
	case ACT_LIST_TMPFS:
		return list(scene, act != ACT_LIST, false, -1);
	case ACT_LIST_LONG:
	case ACT_LIST_LONG_TMPFS:
		return list(scene, act != ACT_LIST_LONG, true, -1);
	default:
		return program_run(command->arguments, command->status, said);
	}
}

static int prepare_ours(const struct scene *scene)
{
	int err = scene->row->cold ? fixture_drop_caches(scene->crowd.fixture) : 0;

	if (!err && scene->row->rested)
		err = interrupt_sleep(EXPIRY_MS);
	return err;
}

/* Beside the percentile, the CPU time is that of all meanwhile: of the daemon, and of the list. */
static int time_cats(const struct scene *scene, enum act act, struct sample *sample)
{
	const char *const *beside =
		act == ACT_CAT_BESIDE_LIST ? scene->commands[ACT_CTL_LIST].arguments : NULL;
	uint64_t command = cpu_time_of_commands(), daemon[2];
	int err = cpu_time_of_daemon(&scene->clocks, &daemon[0]);

	if (!err)
		err = crowd_latency(&scene->names, scene->crowd.fixture->side[0], beside,
				    &sample->ns);
	if (!err)
		err = cpu_time_of_daemon(&scene->clocks, &daemon[1]);
	if (err)
		return err;
	sample->operations = 1;
	sample->cpu_ns = cpu_time_of_commands() - command + daemon[1] - daemon[0];
	return 0;
}

static int time_act(void *context, unsigned side, size_t round, struct sample *sample)
{
	const struct scene *scene = context;
	uint64_t start, command, daemon[2] = {0};
	int err;

	(void)round;
	err = side ? 0 : prepare_ours(scene);
	if (!err &&
	    (scene->row->acts[side] == ACT_CAT_BESIDE_LIST || scene->row->acts[side] == ACT_CAT))
		return time_cats(scene, scene->row->acts[side], sample);
	if (!err && !side)
		err = cpu_time_of_daemon(&scene->clocks, &daemon[0]);
	if (err)
		return err;
	command = cpu_time_of_commands();
	start = clock_now();
	err = do_act(scene, scene->row->acts[side]);
	sample->ns = clock_now() - start;
	sample->operations = 1;
	if (!err && !side)
		err = cpu_time_of_daemon(&scene->clocks, &daemon[1]);
	sample->cpu_ns = cpu_time_of_commands() - command + daemon[1] - daemon[0];
	return interrupt_pending ? -EINTR : err;
}

/* All programs of the row find the crowd. */
static int check_row(const struct scene *scene, const struct crowd_row *row)
{
	for (unsigned i = 0; i == 0 || (i < COMPARISON_SIDES_MAX && row->peers[i - 1].name); i++) {
		const struct command *command = &scene->commands[row->acts[i]];
		size_t lines = 0;
		int err;

		if (row->acts[i] < ACT_CAT_MAPS || !command->line)
			continue;
		err = program_count_lines(command->arguments, command->status, command->line,
					  &lines);
		if (!err && lines < command->lines) {
			message_error("%s: finds %zu of %zu", row->name, lines, command->lines);
			err = -ENOENT;
		}
		if (err)
			return err;
	}
	return 0;
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
	int err = check_row(scene, row);

	memcpy(plan.peers, row->peers, sizeof(plan.peers));
	scene->row = row;
	return err ? err : report_measure(report, &plan);
}

static int measure_rows(struct scene *scene, bool first, struct report *report)
{
	bool no_holders = program_is_missing("fuser") || program_is_missing("lsof");
	int err = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows) && !err; i++) {
		if (rows[i].holds && no_holders) {
			message_error("%s: skipped, fuser or lsof is not there (psmisc, lsof)",
				      rows[i].name);
			report->skipped = true;
		} else {
			err = measure_row(scene, &rows[i], first, report);
		}
	}
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
		err = crowd_names_read(&scene->names, fixture->side[0], crowd_size(&scene->crowd));
	if (!err) {
		set_commands(scene, report->options->pmem2ctl);
		err = measure_rows(scene, shape == report->options->crowds, report);
	}
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
	int err = cpu_time_find(&scene.clocks, fixture->keeper);

	fixture_use_socket(fixture);
	for (size_t i = 0; i < options->crowd_count && !err; i++)
		err = measure_crowd(&scene, ours, &options->crowds[i], report);
	if (err && err != -EINTR)
		fixture_print_log(fixture);
	return err;
}
