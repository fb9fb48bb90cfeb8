/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.h - what the daemon's processes occupy
 */
#ifndef PMEM2FS_BENCH_MEMORY_H
#define PMEM2FS_BENCH_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

/* Resident memory of one process: without mappings, with all of them, after they are removed. */
struct memory_usage {
	uint64_t rss[3], pss[3]; /* bytes */
};

/*
 * Takes sample `when` (0..2) of the keeper and its worker. Returns 0 or a negative errno after a
 * message.
 */
int memory_sample(pid_t keeper, unsigned when, struct memory_usage *keeper_usage,
		  struct memory_usage *worker_usage);

#endif
