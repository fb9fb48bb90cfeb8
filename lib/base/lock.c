/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lock.c - the locks of the library, among threads and across fork
 *
 * Owns both locks and the condition. Calls base/cancel and libc. fork.c calls the functions for
 * forks.
 */
#include "base/lock.h"
#include "base/cancel.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* They know their owner: a signal handler may fork while it interrupts a call of the library. */
static pthread_mutex_t library = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_mutex_t descriptors = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;

/* The cancellation state, before the lock was taken, of the thread that holds it. */
static int library_state;
static int descriptors_state;

/* Which locks the thread that forks has taken for the fork. */
static bool locked_library;
static bool locked_descriptors;

void library_lock(void)
{
	int state = cancel_disable();

	if (pthread_mutex_lock(&library))
		abort();
	library_state = state;
}

void library_unlock(void)
{
	int state = library_state;

	pthread_mutex_unlock(&library);
	cancel_restore(state);
}

void library_wait(void)
{
	int state = library_state;

	pthread_cond_wait(&woken, &library);
	library_state = state;
}

void library_wake(void)
{
	pthread_cond_broadcast(&woken);
}

bool library_open_begin(void)
{
	int state = cancel_disable();

	if (pthread_mutex_trylock(&descriptors)) {
		cancel_restore(state);
		return false;
	}
	descriptors_state = state;
	return true;
}

void library_open_end(void)
{
	int state = descriptors_state;

	pthread_mutex_unlock(&descriptors);
	cancel_restore(state);
}

static bool held_by_caller(pthread_mutex_t *mutex)
{
	if (pthread_mutex_lock(mutex))
		return true;
	pthread_mutex_unlock(mutex);
	return false;
}

bool library_is_interrupted(void)
{
	return held_by_caller(&library) || held_by_caller(&descriptors);
}

void library_before_fork(void)
{
	/*
	 * A thread that has descriptors open may be waiting for the library's lock, which this
	 * thread may hold already: then the second lock is only tried.
	 */
	bool locked = (held_by_caller(&library) ? pthread_mutex_trylock(&descriptors)
						: pthread_mutex_lock(&descriptors)) == 0;

	locked_library = pthread_mutex_lock(&library) == 0;
	locked_descriptors = locked;
}

void library_after_fork(void)
{
	bool locked = locked_descriptors;

	if (locked_library)
		pthread_mutex_unlock(&library);
	if (locked)
		pthread_mutex_unlock(&descriptors);
}

/*
 * The mutexes store their owner as a thread id, which differs in the child, so that they are made
 * anew; so is the condition, whose waiting threads do not exist in the child.
 */
bool library_in_child(void)
{
	static const pthread_mutex_t fresh_mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
	static const pthread_cond_t fresh_cond = PTHREAD_COND_INITIALIZER;

	/* They fail, but without them the thread sanitizer takes the mutexes for locked.
	 */
	pthread_mutex_unlock(&library);
	if (locked_descriptors)
		pthread_mutex_unlock(&descriptors);
	woken = fresh_cond;
	library = fresh_mutex;
	descriptors = fresh_mutex;
	if (locked_library)
		return false;
	pthread_mutex_lock(&library);
	return true;
}
