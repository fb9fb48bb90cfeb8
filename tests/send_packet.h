/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * send_packet.h - sending descriptors, more than one as well
 */
#ifndef PMEM2FS_TEST_SEND_PACKET_H
#define PMEM2FS_TEST_SEND_PACKET_H

#include <assert.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#define SEND_PACKET_FDS_MAX 16

/* Sends a packet with `count` descriptors. Returns what sendmsg does. */
static inline ssize_t send_packet(int socket, const void *bytes, size_t size, const int *fds,
				  size_t count)
{
	struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
	union {
		char bytes[CMSG_SPACE(SEND_PACKET_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	assert(count <= SEND_PACKET_FDS_MAX);
	if (count) {
		struct cmsghdr *header;

		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL);
}

#endif
