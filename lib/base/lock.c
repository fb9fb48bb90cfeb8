/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lock.c - who may use what the library owns, among threads and across fork
 *
 * Owns the locks. Calls registry.c and table.c in the child of a fork, before anybody else does.
 */
#include "base/lock.h"
#include "base/cancel.h"
#include "registry/publication.h"
#include "registry/registry.h"
#include "registry/table.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* They check who has them: a signal handler may fork in the middle of a call of this library. */
static pthread_mutex_t library = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_mutex_t descriptors = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;

/* The cancellation state from before, of who has the lock. */
static int library_state;
static int descriptors_state;

/* What this fork has locked. */
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

static bool is_ours(pthread_mutex_t *mutex)
{
	if (pthread_mutex_lock(mutex))
		return true;
	pthread_mutex_unlock(mutex);
	return false;
}

static void before_fork(void)
{
	/* Whoever has descriptors open may be waiting for a lock that this thread has. */
	bool locked = (is_ours(&library) ? pthread_mutex_trylock(&descriptors)
					 : pthread_mutex_lock(&descriptors)) == 0;

	locked_library = pthread_mutex_lock(&library) == 0;
	locked_descriptors = locked;
}

static void after_fork(void)
{
	bool locked = locked_descriptors;

	if (locked_library)
		pthread_mutex_unlock(&library);
	if (locked)
		pthread_mutex_unlock(&descriptors);
}

/*
 * The threads that waited are not there. The locks know their owner by a number that this thread
 * does not have here: they are made anew. What was interrupted has the lock here too.
 */
static void in_child(void)
{
	static const pthread_mutex_t fresh_mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
	static const pthread_cond_t fresh_cond = PTHREAD_COND_INITIALIZER;

	/* Refused, but without it the thread sanitizer believes that they stay locked. */
	pthread_mutex_unlock(&library);
	if (locked_descriptors)
		pthread_mutex_unlock(&descriptors);
	woken = fresh_cond;
	library = fresh_mutex;
	descriptors = fresh_mutex;
	publication_after_fork();
	registry_after_fork();
	if (locked_library)
		return;
	pthread_mutex_lock(&library);
	table_stand_in();
}

/*
 * When the library is loaded: a program's own handlers come later, and so run before ours takes the
 * locks. Who holds a lock of the program's and calls this library is not waited for with them held.
 */
__attribute__((constructor)) static void expect_forks(void)
{
	pthread_atfork(before_fork, after_fork, in_child);
}
