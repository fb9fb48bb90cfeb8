/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper.h - the process that holds the mappings
 */
#ifndef PMEM2FS_KEEPER_H
#define PMEM2FS_KEEPER_H

#include "options.h"

/*
 * Mounts, starts the worker and serves its commands until the file system is unmounted or a
 * signal ends it. `ready` (-1 or a descriptor, owned from here on) gets one byte when the mount
 * is served. `argv` is what this process was started with. Returns the exit status.
 */
int keeper_run(const struct options *options, char **argv, int ready);

#endif
