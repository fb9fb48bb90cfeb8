/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * supervisor.h - an orderly end in all cases
 */
#ifndef PMEM2FS_BENCH_SUPERVISOR_H
#define PMEM2FS_BENCH_SUPERVISOR_H

#include <stdbool.h>

struct supervisor_job {
	/* Is given an empty folder to mount on. Returns the exit status. */
	int (*work)(const char *folder, void *context);
	void *context;
	bool apart; /* in name spaces of its own, which needs root */
};

/*
 * Does the job in a process of its own and removes the folder and all processes that it leaves
 * behind. Returns the exit status of the work, or 1.
 */
int supervisor_run(const struct supervisor_job *job);

#endif
