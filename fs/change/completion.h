/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * completion.h - how a request to make or to change a mapping ends
 *
 * Owns no data and calls nothing.
 */
#ifndef PMEM2FS_CHANGE_COMPLETION_H
#define PMEM2FS_CHANGE_COMPLETION_H

#include "base/clock.h"

#define COMPLETION_WHY_LENGTH 1536

/*
 * Called in the request loop. `error` is 0 or a positive errno; then `why`, which is good during
 * the call only, names the object and the reason.
 */
typedef void completion(void *arg, int error, const char *why);

/* The patience of a request during which the kernel keeps others from changing the directory. */
#define SHORT_PATIENCE (CLOCK_SECOND * 3 / 10)

/* How long it then waits for its file to be closed, which a process that starts may have to do. */
#define CLOSE_PATIENCE CLOCK_SECOND

#endif
