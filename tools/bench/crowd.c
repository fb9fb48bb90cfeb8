// SPDX-License-Identifier: BSD-3-Clause
/*
 * crowd.c - a listing of the mappings of many processes, against a folder of tmpfs
 *
 * The processes map through our library and publish to the daemon of the fixture. They end when
 * bench does. Calls library.c, report.c, interrupt.c and message.c.
 */
#include "bench/crowd.h"
#include "base/clock.h"
#include "bench/comparison.h"
#include "bench/fixture.h"
#include "bench/interrupt.h"
#include "bench/library.h"
#include "bench/message.h"
#include "bench/report.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES     1000u /* with EACH mappings; one more has ALONE */
#define EACH          100u
#define ALONE         60000u
#define COUNT         (PROCESSES * EACH + ALONE)
#define TARGET        3.0
#define ROUNDS        10u
#define START_SECONDS 60
#define EXPIRY_MS     1100 /* after that the daemon scans all processes again */

struct crowd {
	const struct fixture *fixture;
	const struct library *library;
	pid_t pid[PROCESSES + 1];
	size_t started;
	bool rest; /* before each listing, so long that the result of the one before has expired */
};

/* Every second page, or the kernel would make one area of them. */
static int map_many(const struct crowd *crowd, unsigned count)
{
	const struct library *library = crowd->library;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct pmem2_config *config;
	struct pmem2_source *source;
	struct pmem2_map *map;
	int fd = open(crowd->fixture->source, O_RDWR | O_CLOEXEC);
	int ret;

	if (fd < 0 || library->source_from_fd(&source, fd) || library->config_new(&config))
		return -1;
	ret = library->config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE) ||
	      library->config_set_length(config, page);
	for (unsigned i = 0; i < count && !ret; i++)
		ret = library->config_set_offset(config, i * 2 * page) ||
		      library->map_new(&map, config, source);
	return ret;
}

/* Says on `ready` when all is mapped. */
static _Noreturn void map_and_wait(const struct crowd *crowd, unsigned count, int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "crowd");
	fixture_use_socket(crowd->fixture);
	if (map_many(crowd, count) || write(ready, "", 1) != 1) {
		message_error("a process of the crowd cannot map: %s", crowd->library->errormsg());
		_exit(1);
	}
	for (;;)
		pause();
}

static int start_one(struct crowd *crowd, unsigned count)
{
	int ready[2];
	pid_t pid;
	char byte;
	int err = 0;

	if (pipe2(ready, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid == 0)
		map_and_wait(crowd, count, ready[1]);
	close(ready[1]);
	if (pid < 0) {
		message_error("fork: %m");
		err = -EAGAIN;
	} else {
		crowd->pid[crowd->started++] = pid;
		if (read(ready[0], &byte, 1) != 1)
			err = interrupt_pending ? -EINTR : -EIO;
	}
	close(ready[0]);
	return err;
}

static int start_all(struct crowd *crowd)
{
	off_t size = (off_t)ALONE * 2 * sysconf(_SC_PAGESIZE);
	int err = truncate(crowd->fixture->source, size) ? -errno : 0;

	if (err)
		message_error("%s: %m", crowd->fixture->source);
	for (unsigned i = 0; i < PROCESSES && !err; i++)
		err = start_one(crowd, EACH);
	return err ? err : start_one(crowd, ALONE);
}

static void stop_all(struct crowd *crowd)
{
	for (size_t i = 0; i < crowd->started; i++)
		kill(crowd->pid[i], SIGKILL);
	for (size_t i = 0; i < crowd->started; i++)
		waitpid(crowd->pid[i], NULL, 0);
}

static size_t count_names(const char *path)
{
	DIR *folder = opendir(path);
	size_t count = 0;

	while (folder && readdir(folder))
		count++;
	if (folder)
		closedir(folder);
	return count;
}

/* The daemon answers a listing before its scan is complete: the rest is listed later. */
static int await_all(const struct crowd *crowd)
{
	uint64_t deadline = clock_now() + START_SECONDS * CLOCK_SECOND;

	while (count_names(crowd->fixture->side[0]) < COUNT + 2) {
		if (interrupt_pending)
			return -EINTR;
		if (clock_now() > deadline) {
			message_error("the crowd does not show after %d s", START_SECONDS);
			return -ETIMEDOUT;
		}
	}
	return 0;
}

/* Makes a file in `other` for each name, where `other` is not negative. */
static int list_once(const struct crowd *crowd, unsigned side, int other)
{
	const char *path = crowd->fixture->side[side];
	DIR *folder = opendir(path);
	const struct dirent *entry;
	size_t count = 0;
	int err = 0;

	if (!folder) {
		message_error("%s: %m", path);
		return -EIO;
	}
	while ((errno = 0, entry = readdir(folder)) && !err) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (other >= 0) {
			int fd = openat(other, entry->d_name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

			if (fd < 0)
				err = -errno;
			close(fd);
		}
	}
	if (!err)
		err = -errno;
	closedir(folder);
	if (!err && count < COUNT)
		err = -ENOENT;
	if (err)
		message_error("%s: lists %zu of %u files: %s", path, count, COUNT, strerror(-err));
	return err;
}

static int time_listing(void *context, unsigned side, size_t round, struct sample *sample)
{
	const struct crowd *crowd = context;
	uint64_t start;
	int err;

	(void)round;
	if (crowd->rest && side == 0 && interrupt_sleep(EXPIRY_MS))
		return -EINTR;
	start = clock_now();
	err = list_once(crowd, side, -1);
	*sample = (struct sample){.ns = clock_now() - start, .operations = 1};
	return interrupt_pending ? -EINTR : err;
}

static int measure_listing(struct crowd *crowd, bool rest, struct report *report)
{
	struct comparison_plan plan = {
		.name = rest ? "crowd, rested" : "crowd",
		.what = rest ? "the same, each more than a second after the one before"
			     : "opendir + readdir of 160,000 mappings of 1,001 processes + "
			       "closedir",
		.peers = {{.name = "tmpfs", .target = TARGET}},
		.warm_up = 1,
		.rounds = ROUNDS,
		.work = time_listing,
		.context = crowd,
	};

	crowd->rest = rest;
	return report_measure(report, &plan);
}

static void remove_all(const struct crowd *crowd)
{
	DIR *folder = opendir(crowd->fixture->side[1]);
	const struct dirent *entry;

	if (!folder)
		return;
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(folder), entry->d_name, 0);
	closedir(folder);
}

int crowd_measure(const struct fixture *fixture, const struct library *library,
		  struct report *report)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	int same = open(fixture->side[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = -ENOMEM;

	if (!crowd || same < 0)
		goto free;
	crowd->fixture = fixture;
	crowd->library = library;
	err = start_all(crowd);
	if (!err)
		err = await_all(crowd);
	if (!err)
		err = list_once(crowd, 0, same);
	if (!err)
		err = measure_listing(crowd, false, report);
	if (!err)
		err = measure_listing(crowd, true, report);
	remove_all(crowd);
	stop_all(crowd);
free:
	if (same >= 0)
		close(same);
	free(crowd);
	return err;
}
