/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attribute.c - reading the small files of /proc and /sys
 *
 * The kernel makes such a file's text for the first read, so that one must be enough. Owns nothing;
 * calls libc only.
 */
#include "base/attribute.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

ssize_t attribute_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		n = -errno;
	else
		text[n] = '\0';
	close(fd);
	return n;
}
