/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cancel.h - keeping pthread_cancel away from what must be finished
 *
 * open, read, close, msync and waiting for a condition would end the thread, and with it leave a
 * lock or an object that nobody can use any more. No system call.
 */
#ifndef PMEM2FS_LIB_BASE_CANCEL_H
#define PMEM2FS_LIB_BASE_CANCEL_H

#include <pthread.h>

/* Returns the state to restore. */
static inline int cancel_disable(void)
{
	int state = PTHREAD_CANCEL_ENABLE;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	return state;
}

static inline void cancel_restore(int state)
{
	pthread_setcancelstate(state, NULL);
}

#endif
