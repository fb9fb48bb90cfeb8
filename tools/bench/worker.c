// SPDX-License-Identifier: BSD-3-Clause
/*
 * worker.c - the second process of the daemon
 *
 * Reads /proc only. Calls message.c.
 */
#include "bench/worker.h"
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

int worker_find(pid_t keeper, pid_t *worker)
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
