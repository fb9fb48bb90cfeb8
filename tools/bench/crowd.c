// SPDX-License-Identifier: BSD-3-Clause
/*
 * crowd.c - many processes with mappings
 *
 * The processes map through our library and publish to the daemon of the fixture; as in programs
 * that keep nothing but their mappings, the files are closed then. They end when bench does. Calls
 * library.c, fixture.c, interrupt.c and message.c.
 */
#include "bench/crowd.h"
#include "base/clock.h"
#include "bench/interrupt.h"
#include "bench/message.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW_SECONDS 120

void crowd_file(const struct crowd *crowd, size_t number, char path[CROWD_PATH_SIZE])
{
	snprintf(path, CROWD_PATH_SIZE, "%s/%06zu", crowd->folder, number);
}

/* Every second page, or the kernel would make one area of them. */
static size_t stride(void)
{
	return 2 * (size_t)sysconf(_SC_PAGESIZE);
}

static int make_files(const struct crowd *crowd)
{
	const struct crowd_shape *shape = crowd->shape;
	off_t size = (off_t)((shape->mappings / shape->files + 1) * stride());
	char path[CROWD_PATH_SIZE];
	int err = mkdir(crowd->folder, 0755) ? -errno : 0;

	if (err)
		message_error("%s: %m", crowd->folder);
	for (size_t i = 0; i < shape->files && !err; i++) {
		int fd;

		crowd_file(crowd, i, path);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || ftruncate(fd, size)) {
			err = -errno;
			message_error("%s: %m", path);
		}
		if (fd >= 0)
			close(fd);
	}
	return err;
}

static void remove_files(const struct crowd *crowd)
{
	char path[CROWD_PATH_SIZE];

	for (size_t i = 0; i < crowd->shape->files; i++) {
		crowd_file(crowd, i, path);
		unlink(path);
	}
	rmdir(crowd->folder);
}

/* The mappings of one file: each `files`-th of a process. */
static int map_file(const struct crowd *crowd, struct pmem2_config *config, size_t number)
{
	const struct library *library = crowd->library;
	struct pmem2_source *source;
	struct pmem2_map *map;
	size_t offset = 0;
	char path[CROWD_PATH_SIZE];
	int fd, err;

	crowd_file(crowd, number, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = library->source_from_fd(&source, fd);
	for (size_t i = number; i < crowd->shape->mappings && !err; i += crowd->shape->files) {
		err = library->config_set_offset(config, offset);
		if (!err)
			err = library->map_new(&map, config, source);
		offset += stride();
	}
	if (!err)
		err = library->source_delete(&source);
	close(fd);
	return err;
}

static int map_all(const struct crowd *crowd)
{
	const struct library *library = crowd->library;
	struct pmem2_config *config;
	int err = library->config_new(&config);

	if (!err)
		err = library->config_set_required_store_granularity(config,
								     PMEM2_GRANULARITY_PAGE);
	if (!err)
		err = library->config_set_length(config, (size_t)sysconf(_SC_PAGESIZE));
	for (size_t i = 0; i < crowd->shape->files && !err; i++)
		err = map_file(crowd, config, i);
	return err;
}

/* Says on `ready` when all is mapped. */
static _Noreturn void map_and_wait(const struct crowd *crowd, int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "crowd");
	fixture_use_socket(crowd->fixture);
	if (map_all(crowd) || write(ready, "", 1) != 1) {
		message_error("a process of the crowd cannot map: %s", crowd->library->errormsg());
		_exit(1);
	}
	for (;;)
		pause();
}

static int start_one(struct crowd *crowd)
{
	int ready[2];
	pid_t pid;
	char byte;
	int err = 0;

	if (pipe2(ready, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid == 0)
		map_and_wait(crowd, ready[1]);
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

static size_t count_names(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	size_t count = 0;

	while (folder && (entry = readdir(folder)))
		count += entry->d_name[0] != '.';
	if (folder)
		closedir(folder);
	return count;
}

/* The daemon answers a listing before its scan is complete: the rest is listed later. */
static int await_names(const struct crowd *crowd, size_t count)
{
	uint64_t deadline = clock_now() + SHOW_SECONDS * CLOCK_SECOND;

	while (count_names(crowd->fixture->side[0]) != count) {
		if (interrupt_pending)
			return -EINTR;
		if (clock_now() > deadline) {
			message_error("%s does not show %zu mappings after %d s",
				      crowd->fixture->side[0], count, SHOW_SECONDS);
			return -ETIMEDOUT;
		}
	}
	return 0;
}

int crowd_start(struct crowd *crowd, const struct fixture *fixture, const struct library *library,
		const struct crowd_shape *shape)
{
	int err;

	*crowd = (struct crowd){.fixture = fixture, .library = library, .shape = shape};
	snprintf(crowd->folder, sizeof(crowd->folder), "%s/crowd", fixture->root);
	crowd->pid = calloc(shape->processes, sizeof(*crowd->pid));
	if (!crowd->pid)
		return -ENOMEM;
	err = make_files(crowd);
	for (size_t i = 0; i < shape->processes && !err; i++)
		err = start_one(crowd);
	return err ? err : await_names(crowd, crowd_size(crowd));
}

int crowd_stop(struct crowd *crowd)
{
	for (size_t i = 0; i < crowd->started; i++)
		kill(crowd->pid[i], SIGKILL);
	for (size_t i = 0; i < crowd->started; i++)
		waitpid(crowd->pid[i], NULL, 0);
	free(crowd->pid);
	remove_files(crowd);
	return await_names(crowd, 0);
}
