/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * receiver.c - see receiver.h
 */
#include "receive/receiver.h"
#include "base/descriptor.h"
#include "host/opener.h"
#include "host/shared_tables.h"
#include "receive/message.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* More than the kernel lets anybody put into one packet (SCM_MAX_FD). */
#define DESCRIPTORS_MAX 256

struct packet {
	struct receive_message message;
	int fds[DESCRIPTORS_MAX];
	size_t count;
};

/* Takes one packet and all that comes with it. Sets result.size. */
static void take_packet(int socket, struct packet *packet)
{
	union {
		char buffer[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {
		.iov_base = packet->message.packet,
		.iov_len = sizeof(packet->message.packet),
	};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct receive_result *result = &packet->message.result;
	ssize_t n = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*result = (struct receive_result){.size = n < 0 ? -errno : (int32_t)n};
	packet->count = 0;
	if (n < 0)
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		packet->count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(packet->fds, CMSG_DATA(c), packet->count * sizeof(int));
	}
	if (packet->count > 1 || header.msg_flags & MSG_CTRUNC)
		result->size = -EMFILE;
	else if (header.msg_flags & MSG_TRUNC)
		result->size = -EMSGSIZE;
}

static void close_all(const struct packet *packet)
{
	for (size_t i = 0; i < packet->count; i++)
		close(packet->fds[i]);
}

/* Sets result.refused if the descriptor is not to be passed on. */
static void judge(int fd, pid_t peer, struct receive_result *result)
{
	char *described;

	if (tables_is_memfd(fd))
		return;
	result->refused = opener_check(fd, peer, result->why);
	described = result->refused ? opener_path(fd) : NULL;
	if (described)
		snprintf(result->described, sizeof(result->described), "%s", described);
	free(described);
}

static void send_done(void)
{
	const struct receive_result done = {.done = true};

	descriptor_send(RECEIVER_FD, &done, sizeof(done), 0, -1);
}

/* The answer is sent before anything is closed. */
static void receive_packet(int socket, pid_t peer, struct packet *packet)
{
	struct receive_result *result = &packet->message.result;
	size_t size = sizeof(*result);
	int fd = -1;

	take_packet(socket, packet);
	if (result->size > 0) {
		size += (size_t)result->size;
		if (packet->count)
			judge(packet->fds[0], peer, result);
		if (packet->count && !result->refused)
			fd = packet->fds[0];
	}
	descriptor_send(RECEIVER_FD, &packet->message, size, 0, fd);
	close_all(packet);
}

/* The socket is shut down: once it is empty it stays so. */
static void receive_rest(int socket, struct packet *packet)
{
	do {
		take_packet(socket, packet);
		close_all(packet);
	} while (packet->message.result.size > 0 || packet->count);
}

/* Waits until the worker has closed its descriptor of a file. */
static void wait_for_close(void)
{
	struct receive_command command;

	while (recv(RECEIVER_FD, &command, sizeof(command), 0) < 0 && errno == EINTR)
		;
}

int receiver_run(const char *inherited)
{
	static struct packet packet;
	struct receive_command command;
	ssize_t n;
	int socket;

	prctl(PR_SET_NAME, "pmem2fs-receive");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* on Ctrl-C the worker ends, and this process with it */
	signal(SIGHUP, SIG_IGN);
	if (inherited) {
		if (!strcmp(inherited, RECEIVER_FILE))
			wait_for_close();
		else
			receive_rest(RECEIVER_FD_INHERITED, &packet);
		close(RECEIVER_FD_INHERITED);
		send_done();
	}
	for (;;) {
		n = descriptor_receive(RECEIVER_FD, &command, sizeof(command), 0, &socket);
		if (n == -EINTR)
			continue;
		if (n != sizeof(command) || socket < 0)
			return n ? 1 : 0;
		if (command.kind == RECEIVE_NOTHING)
			continue;
		if (command.kind == RECEIVE_PACKET)
			receive_packet(socket, command.peer, &packet);
		else if (command.kind == RECEIVE_REST)
			receive_rest(socket, &packet);
		else
			wait_for_close();
		close(socket);
		send_done();
	}
}
