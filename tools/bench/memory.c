// SPDX-License-Identifier: BSD-3-Clause
/*
 * memory.c - what the daemon's two processes occupy
 *
 * Reads /proc only. The table is shared memory that the keeper maps: it counts in the keeper's Rss
 * and, because the worker reads it without mapping it, in no other's.
 * Calls worker.c and message.c.
 */
#include "bench/memory.h"
#include "bench/message.h"
#include "bench/worker.h"
#include <errno.h>
#include <stdio.h>

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

	err = worker_find(keeper, &worker);
	if (!err)
		err = read_rollup(keeper, &keeper_usage->rss[when], &keeper_usage->pss[when]);
	if (!err)
		err = read_rollup(worker, &worker_usage->rss[when], &worker_usage->pss[when]);
	return err;
}
