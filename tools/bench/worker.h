/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.h - the second process of the daemon
 */
#ifndef PMEM2FS_BENCH_WORKER_H
#define PMEM2FS_BENCH_WORKER_H

#include <sys/types.h>

/* Finds the child process of a keeper. Returns 0 or a negative errno after a message. */
int worker_find(pid_t keeper, pid_t *worker);

#endif
