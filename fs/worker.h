/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.h - the process that serves the file system and the socket
 */
#ifndef PMEM2FS_WORKER_H
#define PMEM2FS_WORKER_H

#include "options.h"

/* What the keeper leaves open for its worker. */
enum {
	WORKER_FD_FIRST = 3,
	WORKER_FD_FUSE = WORKER_FD_FIRST,
	WORKER_FD_COMMANDS,
	WORKER_FD_LISTENER,
	WORKER_FD_TABLE,
	WORKER_FD_END,
	WORKER_FDS = WORKER_FD_END - WORKER_FD_FIRST,
};

/* Serves until the file system is unmounted or the keeper is gone. Returns the exit status. */
int worker_run(const struct options *options);

#endif
