/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fixture.h - the daemon and the folders on which file systems are compared
 */
#ifndef PMEM2FS_BENCH_FIXTURE_H
#define PMEM2FS_BENCH_FIXTURE_H

#include "bench/options.h"
#include <stdbool.h>
#include <sys/types.h>

struct fixture {
	char root[128];    /* a tmpfs of our own */
	char side[2][320]; /* folders with the mappings and with the files of tmpfs */
	char source[320];  /* the file that is mapped */
	bool mounted;      /* the tmpfs is there */
	bool peer;         /* side[0] is a folder that was made on another file system */
	pid_t keeper;      /* 0: no daemon */
};

/*
 * Sets the fixture up on `folder`, with a daemon unless options.peer, in a job that is apart. After
 * a failure, too, fixture_stop must be called.
 */
int fixture_start(struct fixture *fixture, const char *folder, const struct options *options);

/* Makes libraries of this process, and of its children, publish to this daemon and no other. */
void fixture_use_socket(const struct fixture *fixture);

/*
 * Makes the kernel drop every entry and inode of the mount that is not in use, so that the next
 * access to it is the first one. On tmpfs nothing can be dropped: its files are in the cache only.
 * Returns 0, -EINTR, or a negative errno after a message.
 */
int fixture_drop_caches(const struct fixture *fixture);

/* Ends the daemon and removes what the end of this process does not. Returns 0 or -EIO. */
int fixture_stop(struct fixture *fixture);

/* Prints the end of the daemon's log on stderr. */
void fixture_print_log(const struct fixture *fixture);

#endif
