/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * interrupt.h - a signal asks the bench to stop measuring, clean up and leave
 */
#ifndef PMEM2FS_BENCH_INTERRUPT_H
#define PMEM2FS_BENCH_INTERRUPT_H

#include <signal.h>

/* Nonzero once such a signal has come. */
extern volatile sig_atomic_t interrupt_pending;

/* Makes `sig` set interrupt_pending; system calls that it interrupts fail with EINTR. */
void interrupt_catch(int sig);

/* Sleeps, less if a signal comes. Returns 0, or -EINTR when interrupt_pending is set. */
int interrupt_sleep(long ms);

#endif
