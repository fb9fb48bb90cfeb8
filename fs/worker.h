/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.h - the process that serves the file system and the socket
 */
#ifndef PMEM2FS_WORKER_H
#define PMEM2FS_WORKER_H

#include "options.h"

/*
 * Serves until the file system is unmounted or the keeper is gone, with the descriptors of
 * worker_fds.h. Returns the exit status.
 */
int worker_run(const struct options *options);

#endif
