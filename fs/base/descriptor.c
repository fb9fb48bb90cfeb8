/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * descriptor.c - see descriptor.h
 *
 * Calls libc only.
 */
#include "base/descriptor.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESCRIPTORS 1048576

/*
 * Keeps the first descriptor and closes all others that the kernel has put into the message. False:
 * there were others, or the kernel had no room for them.
 */
static bool take_descriptor(struct msghdr *message, int *fd)
{
	bool one = !(message->msg_flags & MSG_CTRUNC);
	struct cmsghdr *header;

	for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int received;

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			memcpy(&received, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
			if (*fd >= 0) {
				close(received);
				one = false;
			} else {
				*fd = received;
			}
		}
	}
	return one;
}

ssize_t descriptor_receive(int socket, void *buffer, size_t size, int flags, int *fd)
{
	union {
		char buffer[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = buffer, .iov_len = size};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	*fd = -1;
	n = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	if (!take_descriptor(&message, fd))
		n = -EMFILE;
	else if (message.msg_flags & MSG_TRUNC)
		n = -EMSGSIZE;
	if (n <= 0 && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return n;
}

int descriptor_send(int socket, const void *packet, size_t size, int flags, int fd)
{
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = (void *)packet, .iov_len = size};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *header;

	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	return sendmsg(socket, &message, flags | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void descriptor_raise_limit(void)
{
	struct rlimit limit, more = {.rlim_cur = DESCRIPTORS, .rlim_max = DESCRIPTORS};

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= DESCRIPTORS)
		return;
	if (limit.rlim_max > DESCRIPTORS)
		more.rlim_max = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &more)) { /* not root, or fs.nr_open is less */
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}
