/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * identity.h - whose rights a path is opened with
 *
 * Taken once, while the caller waits for the answer to its CREATE, and put on by a thread for the
 * moment of an open. What a caller cannot open by itself it cannot open through the daemon either.
 * The thread id of a request is the caller's as long as the request is not answered: once the
 * daemon has read it, the kernel does not let the caller go before, not even when it is killed.
 */
#ifndef PMEM2FS_HOST_IDENTITY_H
#define PMEM2FS_HOST_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct identity {
	uid_t uid;
	gid_t gid;
	uint64_t capabilities; /* effective */
	const char *refused;   /* why no path may be opened for this caller, or NULL */
	size_t group_count;
	gid_t groups[];
};

/*
 * The identity of the thread `tid`, which waits for the answer to a request with these file system
 * ids. Reads /proc only. A caller with another root directory or mount namespace than ours, or
 * whose files in /proc cannot be read, gets an identity that is refused. NULL when memory runs out.
 */
struct identity *identity_of_caller(pid_t tid, uid_t uid, gid_t gid);

/*
 * Whether the calling thread opens files as `identity` without putting it on: that of a root which
 * has all rights over files that the daemon has.
 */
bool identity_is_own(const struct identity *identity);

/*
 * The calling thread opens files as `identity` from here on, or as itself again. Nothing to do
 * for a daemon without root: its only caller is its own user. Returns 0 or a negative errno;
 * identity_drop cannot fail (a thread that cannot get its own rights back ends the process).
 */
int identity_assume(const struct identity *identity);
void identity_drop(void);

#endif
