/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lifeline.c - see lifeline.h
 */
#include "base/lifeline.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

struct lifeline {
	pthread_mutex_t *mutex; /* alone in its shared memory */
	int event;
};

/* NULL with errno: it cannot be mapped. */
static pthread_mutex_t *map_mutex(int fd)
{
	void *memory =
		mmap(NULL, sizeof(pthread_mutex_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int make_mutex(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attributes;
	int error = pthread_mutexattr_init(&attributes);

	if (error)
		return -error;
	error = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	if (!error)
		error = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	if (!error)
		error = pthread_mutex_init(mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return -error;
}

int lifeline_new(struct lifeline **lifeline, int *fd)
{
	struct lifeline *made = calloc(1, sizeof(*made));
	int error;

	*fd = -1;
	if (!made)
		return -ENOMEM;
	*fd = memfd_create("lifeline", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, sizeof(*made->mutex)) || !(made->mutex = map_mutex(*fd))) {
		error = -errno;
		goto fail;
	}
	error = make_mutex(made->mutex);
	if (!error) {
		*lifeline = made;
		return 0;
	}
fail:
	lifeline_free(made);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return error;
}

int lifeline_hold(int fd)
{
	pthread_mutex_t *mutex = map_mutex(fd);

	return mutex ? -pthread_mutex_lock(mutex) : -errno;
}

static void *wait_for_end(void *arg)
{
	struct lifeline *lifeline = arg;
	int event = lifeline->event;

	/* EOWNERDEAD: the thread that held it has ended. */
	if (pthread_mutex_lock(lifeline->mutex) == EOWNERDEAD)
		pthread_mutex_consistent(lifeline->mutex);
	pthread_mutex_unlock(lifeline->mutex);
	lifeline_free(lifeline);
	eventfd_write(event, 1);
	return NULL;
}

int lifeline_watch(struct lifeline *lifeline, int event)
{
	sigset_t all, before;
	pthread_t thread;
	int error;

	lifeline->event = event;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, wait_for_end, lifeline);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!error)
		pthread_detach(thread);
	return -error;
}

void lifeline_free(struct lifeline *lifeline)
{
	if (lifeline && lifeline->mutex)
		munmap(lifeline->mutex, sizeof(*lifeline->mutex));
	free(lifeline);
}
