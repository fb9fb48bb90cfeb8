/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * interrupts.c - see interrupts.h
 */
#define FUSE_USE_VERSION 314
#include "fuse/interrupts.h"
#include <fuse_lowlevel.h>

/* libfuse holds locks here: only take note. */
static void note(fuse_req_t req, void *data)
{
	struct interruptible *pending = data;
	struct service *service = fuse_req_userdata(req);

	pending->interrupted = true;
	service->interrupted = true;
}

void interrupts_begin(struct interruptible *pending)
{
	struct service *service = fuse_req_userdata(pending->req);

	pending->next = service->pending;
	pending->link = &service->pending;
	if (pending->next)
		pending->next->link = &pending->next;
	service->pending = pending;
	fuse_req_interrupt_func(pending->req, note, pending);
}

void interrupts_end(struct interruptible *pending)
{
	*pending->link = pending->next;
	if (pending->next)
		pending->next->link = pending->link;
}

void interrupts_deliver(struct service *service)
{
	struct interruptible *pending, *next;

	if (!service->interrupted)
		return;
	service->interrupted = false;
	for (pending = service->pending; pending; pending = next) {
		next = pending->next;
		if (pending->interrupted)
			pending->give_up(pending);
	}
}
