/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * interrupts.h - requests of the kernel that are answered later and may be interrupted before
 */
#ifndef PMEM2FS_INTERRUPTS_H
#define PMEM2FS_INTERRUPTS_H

#include "service.h"
#include <stdbool.h>

struct fuse_req;

/* Part of what its owner keeps for the request. */
struct interruptible {
	struct interruptible *next, **link; /* of the service */
	struct fuse_req *req;
	bool interrupted;
	/* The caller wants to be gone: ends it and answers, or leaves it as it is. */
	void (*give_up)(struct interruptible *pending);
};

/* `req` and `give_up` are set. */
void interrupts_begin(struct interruptible *pending);
/* Before the answer. */
void interrupts_end(struct interruptible *pending);

/*
 * Gives up what has been interrupted; to be called between two requests, since libfuse tells of an
 * interrupt while it holds locks.
 */
void interrupts_deliver(struct service *service);

#endif
