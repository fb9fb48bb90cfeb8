/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * slow_munmap.c - makes the keeper slow: a library to be preloaded
 *
 * munmap of SLOW_LENGTH bytes, which nothing else uses, waits as long as the file that
 * $PMEM2FS_TEST_HOLD names exists, and makes the file $PMEM2FS_TEST_HOLD.held when it begins.
 */
#include "slow_munmap.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int munmap(void *address, size_t length)
{
	int (*next)(void *, size_t) = dlsym(RTLD_NEXT, "munmap");
	const char *hold = getenv("PMEM2FS_TEST_HOLD");

	if (hold && length == SLOW_LENGTH && access(hold, F_OK) == 0) {
		char held[256];
		int fd;

		snprintf(held, sizeof(held), "%s.held", hold);
		fd = open(held, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
		if (fd >= 0)
			close(fd);
		while (access(hold, F_OK) == 0)
			poll(NULL, 0, 10);
	}
	return next(address, length);
}
