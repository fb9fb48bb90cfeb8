/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * interrupts.c - see interrupts.h
 */
#define FUSE_USE_VERSION 314
#include "fuse/interrupts.h"
#include <fuse_lowlevel.h>

/* libfuse holds locks here, so that this may only take note. */
static void note_interrupt(fuse_req_t req, void *data)
{
	struct interruptible *pending = data;

	(void)req;
	pending->interrupted = true;
	pending->all->interrupted = true;
}

void interrupts_begin(struct interrupts *interrupts, struct interruptible *pending)
{
	pending->all = interrupts;
	pending->next = interrupts->first;
	pending->link = &interrupts->first;
	if (pending->next)
		pending->next->link = &pending->next;
	interrupts->first = pending;
	fuse_req_interrupt_func(pending->req, note_interrupt, pending);
}

void interrupts_end(struct interruptible *pending)
{
	*pending->link = pending->next;
	if (pending->next)
		pending->next->link = pending->link;
}

void interrupts_deliver(struct interrupts *interrupts)
{
	struct interruptible *pending, *next;

	if (!interrupts->interrupted)
		return;
	interrupts->interrupted = false;
	for (pending = interrupts->first; pending; pending = next) {
		next = pending->next;
		if (pending->interrupted)
			pending->give_up(pending);
	}
}
