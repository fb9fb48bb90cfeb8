/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pidfd.c - see pidfd.h
 *
 * Calls libc only.
 */
#include "base/pidfd.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

int pidfd_open_pid(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

int pidfd_open_peer(int socket, pid_t pid)
{
	int fd = -1;
	socklen_t size = sizeof(fd);

	if (!getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size))
		return fd;
	return errno == ENOPROTOOPT ? pidfd_open_pid(pid) : -errno;
}

bool pidfd_is_alive(int pidfd)
{
	struct pollfd pollfd = {.fd = pidfd, .events = POLLIN};
	int n;

	do
		n = poll(&pollfd, 1, 0);
	while (n < 0 && errno == EINTR);
	return pidfd >= 0 && !n;
}
