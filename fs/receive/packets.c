/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packets.c - see packets.h
 */
#include "receive/packets.h"
#include "base/descriptor.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static int pass_credentials(int socket, int on)
{
	return setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ? -errno : 0;
}

int packets_prepare(int socket)
{
	return pass_credentials(socket, 1);
}

ssize_t packets_take_plain(int socket, void *packet, size_t size, struct packet_head *head)
{
	union {
		char buffer[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct msghdr header = {.msg_control = &control, .msg_controllen = sizeof(control)};
	struct ucred who;
	ssize_t n;

	/*
	 * A look at the packet, which stays in the queue with its descriptors: there is no room for
	 * them here, and the kernel says that some are there. With each packet, also an empty one,
	 * it gives the credentials of the sender.
	 */
	n = recvmsg(socket, &header, MSG_PEEK | MSG_DONTWAIT);
	*head = (struct packet_head){.carries = n >= 0 && header.msg_flags & MSG_CTRUNC};
	if (n < 0)
		return -errno;
	if (head->carries)
		return 0;
	if (!header.msg_controllen)
		return -EPIPE;
	memcpy(&who, CMSG_DATA(&control.align), sizeof(who));
	head->sender = who.pid;
	n = recv(socket, packet, size, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0)
		return -errno;
	return n > (ssize_t)size ? -EMSGSIZE : n;
}

ssize_t packets_take_trusted(int socket, void *packet, size_t size, int *fd)
{
	ssize_t n;

	pass_credentials(socket, 0);
	n = descriptor_receive(socket, packet, size, MSG_DONTWAIT, fd);
	pass_credentials(socket, 1);
	return n;
}

/*
 * ECONNRESET comes before the first packet if the peer has ended with unread answers in its own
 * queue.
 */
bool packets_empty(int socket)
{
	struct packet_head head;
	char byte;
	ssize_t n;

	/* A socket that is refused may not be prepared: its packets would look like its end. */
	if (packets_prepare(socket))
		return false;
	do
		n = packets_take_plain(socket, &byte, sizeof(byte), &head);
	while (!head.carries && (n >= 0 || n == -EMSGSIZE || n == -EINTR || n == -ECONNRESET));
	return n == -EPIPE;
}
