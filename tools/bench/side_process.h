/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * side_process.h - a process for each side of a comparison
 */
#ifndef PMEM2FS_BENCH_SIDE_PROCESS_H
#define PMEM2FS_BENCH_SIDE_PROCESS_H

#include "bench/comparison.h"
#include <sys/types.h>

struct side_process {
	pid_t pid; /* 0: none */
	int socket;
};

struct side_answer {
	int err;
	struct sample sample;
	char text[256];
};

/* Carries an order out, in the side's process. Returns 0 or a negative errno after a message. */
typedef int side_process_serve(void *context, unsigned order, struct side_answer *answer);

/* Starts a process that serves. Returns 0 or a negative errno after a message. */
int side_process_start(struct side_process *side, side_process_serve *serve, void *context);

/* Has an order carried out. Returns what `serve` did, -EINTR, or -EPIPE after a message. */
int side_process_ask(const struct side_process *side, unsigned order, struct side_answer *answer);

void side_process_stop(struct side_process *side);

#endif
