/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * announcement.c - whether the table is still to be announced to the daemon, and when
 *
 * Owns three flags, which are read and written without a lock, in relaxed order: a thread that sees
 * an old value tries too early or not at all, and the next call makes up for that. Calls nothing.
 */
#include "registry/announcement.h"
#include <stdatomic.h>

#define RETRY_NANOSECONDS 1000000000u

/* There is a table that has not been announced; no attempt has been made; when to make the next. */
static _Atomic bool wanted;
static _Atomic bool untried;
static _Atomic uint64_t next_try;

void announcement_request(void)
{
	atomic_store_explicit(&next_try, 0, memory_order_relaxed);
	atomic_store_explicit(&wanted, true, memory_order_relaxed);
	atomic_store_explicit(&untried, true, memory_order_relaxed);
}

void announcement_withdraw(void)
{
	atomic_store_explicit(&wanted, false, memory_order_relaxed);
	atomic_store_explicit(&untried, false, memory_order_relaxed);
}

bool announcement_is_wanted(void)
{
	return atomic_load_explicit(&wanted, memory_order_relaxed);
}

bool announcement_is_due(uint64_t now)
{
	uint64_t next = atomic_load_explicit(&next_try, memory_order_relaxed);

	/* The clock may have been set back. */
	return now >= next || next - now > RETRY_NANOSECONDS;
}

bool announcement_take_first(void)
{
	/* Loaded before it is exchanged: every call that maps comes here. */
	return atomic_load_explicit(&untried, memory_order_relaxed) &&
	       atomic_exchange_explicit(&untried, false, memory_order_relaxed);
}

void announcement_tried(uint64_t now)
{
	atomic_store_explicit(&untried, false, memory_order_relaxed);
	atomic_store_explicit(&next_try, now + RETRY_NANOSECONDS, memory_order_relaxed);
}
