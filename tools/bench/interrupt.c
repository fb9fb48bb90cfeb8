// SPDX-License-Identifier: BSD-3-Clause
/*
 * interrupt.c - a signal asks the bench to stop measuring, clean up and leave
 *
 * Owns the flag and its handler. Calls nothing of the bench.
 */
#include "bench/interrupt.h"
#include <errno.h>
#include <stddef.h>
#include <time.h>

volatile sig_atomic_t interrupt_pending;

static void set_pending(int sig)
{
	(void)sig;
	interrupt_pending = 1;
}

void interrupt_catch(int sig)
{
	struct sigaction action = {.sa_handler = set_pending};

	sigaction(sig, &action, NULL);
}

int interrupt_sleep(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
	return interrupt_pending ? -EINTR : 0;
}
