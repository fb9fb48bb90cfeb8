/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * listen.c - see listen.h
 */
#include "keeper/listen.h"
#include "base/folder_lock.h"
#include "base/log.h"
#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG     128
#define PATIENCE_MS 2000

static int make_folder(const char *path)
{
	char *copy = strdup(path);
	int result = 0;

	if (!copy)
		return -ENOMEM;
	if (mkdir(dirname(copy), 0755) && errno != EEXIST)
		result = -errno;
	free(copy);
	return result;
}

static bool is_served_now(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool served = true;

	if (fd < 0)
		return served;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		served = errno != ECONNREFUSED && errno != ENOENT;
	close(fd);
	return served;
}

/* Whether a daemon serves the socket at this address. Waits for a daemon that is just ending. */
static bool is_served(const struct sockaddr_un *address)
{
	for (int i = 0; i < PATIENCE_MS / 10; i++) {
		if (!is_served_now(address))
			return false;
		poll(NULL, 0, 10);
	}
	return true;
}

int listen_begin(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, result, lock;
	mode_t mask;

	if (strlen(path) >= sizeof(address.sun_path)) {
		log_error("%s: too long for the name of a socket", path);
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	result = make_folder(path);
	if (result) {
		log_error("%s: cannot make its folder: %s", path, strerror(-result));
		return result;
	}
	lock = folder_lock(path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		goto failed;
	if (!lstat(path, &st)) {
		if (!S_ISSOCK(st.st_mode) || is_served(&address)) {
			errno = EADDRINUSE;
			goto failed;
		}
		unlink(path);
	}
	mask = umask(0111); /* of the whole process; no other thread makes files so far */
	result = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (result || listen(fd, BACKLOG))
		goto failed;
	folder_unlock(lock);
	return fd;
failed:
	result = -errno;
	log_error("%s: cannot listen: %s%s", path, strerror(errno),
		  errno == EADDRINUSE
			  ? " (is another pmem2fs running? -o socket= names another place)"
			  : "");
	if (fd >= 0)
		close(fd);
	folder_unlock(lock);
	return result;
}
