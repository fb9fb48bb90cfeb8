/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_process.h - the worker as a child of the keeper: its start and its end
 */
#ifndef PMEM2FS_KEEPER_WORKER_PROCESS_H
#define PMEM2FS_KEEPER_WORKER_PROCESS_H

#include "protocol/worker_fds.h"
#include <stdbool.h>
#include <sys/types.h>

/*
 * Starts this program again, with the arguments `argv` and `option` behind them. It finds `fds`,
 * which stay the caller's, under the numbers of worker_fds.h; none of `fds` but the first may have
 * such a number here. Returns 0 or a negative errno.
 */
int worker_process_start(char **argv, char *option, const int fds[WORKER_FDS], pid_t *worker);

/*
 * Whether the worker has ended, or is as good as ended; *status is then as waitpid gives it. Waits
 * for other children of this process too.
 */
bool worker_process_ended(pid_t worker, int *status);

/* Gives a worker that was asked to end the time for that, and then kills it. */
void worker_process_end(pid_t worker);

#endif
