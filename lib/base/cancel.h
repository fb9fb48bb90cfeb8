/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cancel.h - protecting calls of the library from pthread_cancel
 *
 * open, read, close, msync and waiting for a condition are cancellation points: a thread that ended
 * there would leave a lock or an object unusable. Makes no system call.
 */
#ifndef PMEM2FS_LIB_BASE_CANCEL_H
#define PMEM2FS_LIB_BASE_CANCEL_H

#include <pthread.h>

/* Returns the state for cancel_restore. */
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
