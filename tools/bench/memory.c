// SPDX-License-Identifier: BSD-3-Clause
/*
 * memory.c - what the daemon's two processes occupy
 *
 * Reads /proc only. The table is shared memory that the keeper maps: it counts in the keeper's Rss
 * and, because the worker reads it without mapping it, in no other's.
 * Calls message.c.
 */
#include "bench/memory.h"
#include "bench/message.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The parent of a process, or 0 when it is gone. */
static pid_t parent_of(const char *pid)
{
	char path[64], line[512];
	pid_t parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file)) {
		/* The name of the command may hold blanks and brackets itself. */
		const char *rest = strrchr(line, ')');

		if (!rest || sscanf(rest, ") %*c %d", &parent) != 1)
			parent = 0;
	}
	fclose(file);
	return parent;
}

static int find_worker(pid_t keeper, pid_t *worker)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	unsigned found = 0;
	pid_t pid = 0;

	if (!proc) {
		message_error("/proc: %m");
		return -ENOENT;
	}
	while ((entry = readdir(proc))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		if (parent_of(entry->d_name) == keeper) {
			pid = atoi(entry->d_name);
			found++;
		}
	}
	closedir(proc);
	if (found != 1) {
		message_error("keeper %d has %u child processes: which one is the worker?", keeper,
			      found);
		return -ESRCH;
	}
	*worker = pid;
	return 0;
}

static int read_rollup(pid_t pid, uint64_t *rss, uint64_t *pss)
{
	char path[64], line[256];
	unsigned long kib;
	unsigned found = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	file = fopen(path, "re");
	if (!file) {
		int err = -errno;

		message_error("%s: %m", path);
		return err;
	}
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Rss: %lu kB", &kib) == 1) {
			*rss = (uint64_t)kib * 1024;
			found |= 1;
		} else if (sscanf(line, "Pss: %lu kB", &kib) == 1) {
			*pss = (uint64_t)kib * 1024;
			found |= 2;
		}
	}
	fclose(file);
	if (found != 3) {
		message_error("%s: no Rss and Pss", path);
		return -EPROTO;
	}
	return 0;
}

int memory_sample(pid_t keeper, unsigned when, struct memory_usage *keeper_usage,
		  struct memory_usage *worker_usage)
{
	pid_t worker;
	int err;

	err = find_worker(keeper, &worker);
	if (!err)
		err = read_rollup(keeper, &keeper_usage->rss[when], &keeper_usage->pss[when]);
	if (!err)
		err = read_rollup(worker, &worker_usage->rss[when], &worker_usage->pss[when]);
	return err;
}
