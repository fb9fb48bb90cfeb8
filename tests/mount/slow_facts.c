/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * slow_facts.c - a library to be preloaded, which delays the worker's reading of facts
 *
 * Reading a link /proc/PID/exe, which only the thread that reads facts does, waits as long as the
 * file $PMEM2FS_TEST_HOLD exists.
 */
#include <dlfcn.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t readlink(const char *path, char *target, size_t size)
{
	ssize_t (*next)(const char *, char *, size_t) = dlsym(RTLD_NEXT, "readlink");
	const char *hold = getenv("PMEM2FS_TEST_HOLD"), *end = strrchr(path, '/');

	while (hold && end && !strcmp(end, "/exe") && access(hold, F_OK) == 0)
		poll(NULL, 0, 10);
	return next(path, target, size);
}
