/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pending.h - requests of the kernel that are answered later and may be interrupted before
 */
#ifndef PMEM2FS_PENDING_H
#define PMEM2FS_PENDING_H

#include "service.h"
#include <stdbool.h>

struct fuse_req;

/* Part of what its owner keeps for the request. */
struct pending {
	struct pending *next, **link; /* of the service */
	struct fuse_req *req;
	bool interrupted;
	/* The caller wants to be gone: ends it and answers, or leaves it as it is. */
	void (*give_up)(struct pending *pending);
};

/* `req` and `give_up` are set. */
void pending_begin(struct pending *pending);
/* Before the answer. */
void pending_end(struct pending *pending);

/*
 * Gives up what has been interrupted; to be called between two requests, since libfuse tells of an
 * interrupt while it holds locks.
 */
void pending_interrupts(struct service *service);

#endif
