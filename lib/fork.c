/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fork.c - what happens to the library in a fork
 *
 * Owns the library's only fork handlers. Lies above all folders, since the handlers call the
 * modules that keep state for a process: the locks, the registry, its table and the connection to
 * the daemon. Nothing calls this file.
 *
 * Lock order: the lock of publish/release.c before the two of base/lock.c. A fork that interrupts a
 * call with one of these only tries the first, lest it wait for a thread that waits for it.
 */
#include "base/lock.h"
#include "publish/release.h"
#include "registry/publication.h"
#include "registry/registry.h"
#include "registry/table_writer.h"
#include <pthread.h>

static void before_fork(void)
{
	release_before_fork();
	library_before_fork();
}

static void after_fork(void)
{
	library_after_fork();
	release_after_fork();
}

static void in_child(void)
{
	bool interrupted = library_in_child();

	publication_after_fork();
	registry_after_fork();
	/* The interrupted call may write to the table, of which a child inherits nothing. */
	if (interrupted)
		table_stand_in();
	release_in_child();
}

/*
 * Installed when the library is loaded. The handlers of a program are installed later and so run
 * before the locks are taken: a thread that holds a lock of the program and calls the library can
 * finish its call.
 */
__attribute__((constructor)) static void install_fork_handlers(void)
{
	pthread_atfork(before_fork, after_fork, in_child);
}
