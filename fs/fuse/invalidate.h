/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * invalidate.h - makes the kernel forget what it knows of a name
 *
 * A thread of its own does it: the kernel waits for locks that a request in progress holds, so that
 * neither the request loop nor a handler may.
 */
#ifndef PMEM2FS_FUSE_INVALIDATE_H
#define PMEM2FS_FUSE_INVALIDATE_H

struct fuse_session;
struct pool;

/* Through which session, and in which lane of which pool. All are borrowed. */
struct invalidate {
	struct fuse_session *session;
	struct pool *helpers;
	unsigned lane;
};

/*
 * The name no longer means what it meant. Returns at once. Where this fails, the kernel sees the
 * change when the validity of the name ends.
 */
void invalidate_name(const struct invalidate *invalidate, const char *name);

#endif
