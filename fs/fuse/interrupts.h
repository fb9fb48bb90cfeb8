/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * interrupts.h - requests of the kernel that are answered later and may be interrupted before
 *
 * A handler that answers later embeds a struct interruptible in what it keeps for the request.
 */
#ifndef PMEM2FS_FUSE_INTERRUPTS_H
#define PMEM2FS_FUSE_INTERRUPTS_H

#include <stdbool.h>

struct fuse_req;

/* All requests that wait; zero is none. */
struct interrupts {
	struct interruptible *first;
	bool interrupted; /* at least one of them is */
};

struct interruptible {
	struct interruptible *next, **link;
	struct interrupts *all;
	struct fuse_req *req;
	bool interrupted;
	/*
	 * The caller of the system call wants to return: gives up what is being done and answers
	 * the request, or leaves both as they are.
	 */
	void (*give_up)(struct interruptible *pending);
};

/* From here on `pending` is given up when it is interrupted; `req` and `give_up` are set. */
void interrupts_begin(struct interrupts *interrupts, struct interruptible *pending);
/* To be called before the answer. */
void interrupts_end(struct interruptible *pending);

/*
 * Gives up what has been interrupted. To be called between two requests: libfuse reports an
 * interrupt while it holds locks.
 */
void interrupts_deliver(struct interrupts *interrupts);

#endif
