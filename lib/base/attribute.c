/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attribute.c - reading and writing the small files of /proc and /sys
 *
 * The kernel produces the text of such a file for the first read, so that one read is enough. Owns
 * nothing; calls libc only.
 */
#include "base/attribute.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Takes ownership of `fd`; with -1, errno says why there is none. */
static ssize_t read_and_close(int fd, char *text, size_t size)
{
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

ssize_t attribute_read(const char *path, char *text, size_t size)
{
	return read_and_close(open(path, O_RDONLY | O_CLOEXEC), text, size);
}

ssize_t attribute_read_at(int folder, const char *path, char *text, size_t size)
{
	return read_and_close(openat(folder, path, O_RDONLY | O_CLOEXEC), text, size);
}

int attribute_read_number(const char *path, int base, uint64_t *number)
{
	unsigned long long value;
	char text[32];
	ssize_t n;
	char *end;

	n = attribute_read(path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	errno = 0;
	value = strtoull(text, &end, base);
	if (*end == '\n')
		end++;
	if (text[0] < '0' || text[0] > '9' || *end || errno)
		return -EINVAL;
	*number = value;
	return 0;
}

int attribute_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}
