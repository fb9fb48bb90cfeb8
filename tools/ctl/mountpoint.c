// SPDX-License-Identifier: BSD-3-Clause
/*
 * mountpoint.c - the files of the daemon's mount
 *
 * They are read through the mount, so that the kernel decides who may read what. Calls
 * connection.c, report.c, memory.c and base/escape.c.
 */

#include "ctl/mountpoint.h"
#include "base/escape.h"
#include "ctl/connection.h"
#include "ctl/memory.h"
#include "ctl/report.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Nothing that is mapped needs a longer document; a file without an end must not take all memory.
 */
#define DOCUMENT_MAX_BYTES ((size_t)64 * 1024 * 1024)

static char *ask_mountpoint(int connection)
{
	json_t *hello = NULL;
	char *path = NULL;
	const char *text;

	if (connection_ask(connection, NULL, memory_require(json_pack("{s:i}", "hello", 1)), -1,
			   &hello) != ANSWER_SUCCESS)
		return NULL;
	text = json_string_value(json_object_get(hello, "mountpoint"));
	if (text && json_object_get(hello, "mountpoint_encoding"))
		path = escape_decode(text);
	else if (text)
		path = memory_require(strdup(text));
	if (!path || *path != '/') {
		report(NULL, "the daemon does not say where it is mounted");
		free(path);
		path = NULL;
	}
	json_decref(hello);
	return path;
}

/* In another mount namespace there may be just a directory of that name. */
static bool is_mounted(int fd)
{
	struct statx status;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status) == 0 &&
	       status.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

int mountpoint_open(int connection)
{
	char *path = ask_mountpoint(connection);
	int fd;

	if (!path)
		return -1;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		report(path, "%s", strerror(errno));
	} else if (!is_mounted(fd)) {
		report(path, "the daemon is mounted there, but not in this mount namespace");
		close(fd);
		fd = -1;
	}
	free(path);
	return fd;
}

int mountpoint_read(int mountpoint, const char *name, struct buffer *buffer)
{
	int error = 0;
	int fd =
		openat(mountpoint, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;

	buffer->length = 0;
	for (;;) {
		ssize_t count;

		memory_reserve(buffer->bytes, &buffer->room, buffer->length + 1, 16 * 1024);
		count = read(fd, buffer->bytes + buffer->length, buffer->room - buffer->length);
		if (count == 0)
			break;
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0) {
			error = -errno;
			break;
		}
		buffer->length += (size_t)count;
		if (buffer->length > DOCUMENT_MAX_BYTES) {
			error = -EFBIG;
			break;
		}
	}
	close(fd);
	return error;
}
