/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * folder_lock.c - see folder_lock.h
 */
#include "base/folder_lock.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PATIENCE_MS 2000

int folder_lock(const char *path)
{
	char *copy = strdup(path);
	int folder = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY) : -1;
	int waited = 0;

	free(copy);
	while (folder >= 0 && flock(folder, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK || waited == PATIENCE_MS) {
			close(folder);
			return -1;
		}
		waited += 10;
		poll(NULL, 0, 10);
	}
	return folder;
}

void folder_unlock(int lock)
{
	if (lock >= 0)
		close(lock);
}
