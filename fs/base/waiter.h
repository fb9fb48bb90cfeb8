/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * waiter.h - a callback for when something is done
 *
 * A waiter is part of its owner's struct and is linked into the list of the module that it waits
 * for until it is woken. Used by the request loop alone.
 */
#ifndef PMEM2FS_BASE_WAITER_H
#define PMEM2FS_BASE_WAITER_H

#include <stddef.h>
#include <stdint.h>

/* `wake` is called once, in the loop. It may free the waiter. */
struct waiter {
	/* Set by the module that is waited for: */
	struct waiter *next;
	uint64_t since; /* clock_now() when the wait began, if the module limits the wait */
	void (*wake)(struct waiter *waiter);
};

/* Empties the list first: a waiter that is woken may wait again. */
static inline void waiters_wake(struct waiter **waiters)
{
	struct waiter *waiter = *waiters, *next;

	*waiters = NULL;
	for (; waiter; waiter = next) {
		next = waiter->next;
		waiter->wake(waiter);
	}
}

#endif
