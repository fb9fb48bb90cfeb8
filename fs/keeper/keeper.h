/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper.h - the process that holds the mappings
 */
#ifndef PMEM2FS_KEEPER_KEEPER_H
#define PMEM2FS_KEEPER_KEEPER_H

#include <stdbool.h>

/* What the keeper takes from the command line; nothing of it changes while the keeper runs. */
struct keeper_settings {
	const char *source;     /* shown by mount(8) and df */
	const char *mountpoint; /* absolute */
	const char *socket;     /* absolute path of the socket of control.h */
	bool allow_other;       /* a user's mount lets other users in; root's always does */
	char **argv;            /* what this process was started with; the worker gets it too */
};

/*
 * Mounts, starts the worker and serves its commands until the file system is unmounted or a
 * signal ends it. `ready` is -1 or a descriptor that gets one byte when the mount is served; takes
 * ownership of it. Returns the exit status.
 */
int keeper_run(const struct keeper_settings *settings, int ready);

#endif
