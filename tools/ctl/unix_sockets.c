// SPDX-License-Identifier: BSD-3-Clause
/*
 * unix_sockets.c - the UNIX sockets of all network namespaces
 *
 * Asks the kernel by netlink, which reports on which file system a socket is bound even when its
 * path is gone. The thread enters each network namespace to ask there. Owns the list. Calls
 * memory.c.
 */
#include "ctl/unix_sockets.h"
#include "ctl/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Decodes the kernel's internal form of a device number. */
static dev_t decode_device(unsigned number)
{
	return makedev(number >> 20, number & 0xfffff);
}

static void add_socket(struct unix_sockets *sockets, ino_t namespace, struct nlmsghdr *header)
{
	const struct unix_diag_msg *message = NLMSG_DATA(header);
	struct rtattr *attribute = (struct rtattr *)(message + 1);
	unsigned length = NLMSG_PAYLOAD(header, sizeof(*message));
	struct unix_socket socket = {.inode = message->udiag_ino, .namespace = namespace};
	const char *name = NULL;
	size_t name_length = 0;

	for (; RTA_OK(attribute, length); attribute = RTA_NEXT(attribute, length)) {
		if (attribute->rta_type == UNIX_DIAG_VFS) {
			const struct unix_diag_vfs *vfs = RTA_DATA(attribute);

			socket.dev = decode_device(vfs->udiag_vfs_dev);
		} else if (attribute->rta_type == UNIX_DIAG_NAME) {
			name = RTA_DATA(attribute);
			name_length = RTA_PAYLOAD(attribute);
		} else if (attribute->rta_type == UNIX_DIAG_RQLEN) {
			const struct unix_diag_rqlen *queue = RTA_DATA(attribute);

			socket.unread = !socket.inode && queue->udiag_rqueue;
		}
	}
	if (socket.dev)
		socket.path = memory_require(strndup(name ? name : "?", name ? name_length : 1));
	memory_reserve(sockets->list, &sockets->room, sockets->count + 1, 256);
	sockets->list[sockets->count++] = socket;
}

static int request_sockets(int fd)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req request;
	} packet = {
		.header = {.nlmsg_len = sizeof(packet),
			   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.request = {.sdiag_family = AF_UNIX,
			    .udiag_states = ~0u,
			    .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN},
	};

	return send(fd, &packet, sizeof(packet), 0) < 0 ? -errno : 0;
}

/* Returns 0, or the negative errno with which the kernel ends a list that is not whole. */
static int done_error(struct nlmsghdr *header)
{
	int error = 0;

	if (NLMSG_PAYLOAD(header, 0) >= sizeof(error))
		memcpy(&error, NLMSG_DATA(header), sizeof(error));
	return error < 0 ? error : 0;
}

/* Returns 1 if more packets follow, else 0 or a negative errno. */
static int take_packet(struct unix_sockets *sockets, ino_t namespace, char *packet, unsigned length)
{
	struct nlmsghdr *header = (struct nlmsghdr *)packet;

	for (; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
		if (header->nlmsg_type == NLMSG_DONE)
			return done_error(header);
		if (header->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *error = NLMSG_DATA(header);

			return error->error ? error->error : -EPROTO;
		}
		if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY)
			add_socket(sockets, namespace, header);
	}
	return 1;
}

/* Removes what was read of that namespace before. */
static void forget_namespace(struct unix_sockets *sockets, ino_t namespace)
{
	size_t kept = 0;

	for (size_t i = 0; i < sockets->count; i++) {
		if (sockets->list[i].namespace == namespace)
			free(sockets->list[i].path);
		else
			sockets->list[kept++] = sockets->list[i];
	}
	sockets->count = kept;
}

static int read_namespace(struct unix_sockets *sockets, ino_t namespace)
{
	static char packet[65536] __attribute__((aligned(NLMSG_ALIGNTO)));
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int error = fd < 0 ? -errno : request_sockets(fd);

	forget_namespace(sockets, namespace);
	if (!error)
		error = 1;
	while (error > 0) {
		ssize_t length = recv(fd, packet, sizeof(packet), MSG_TRUNC);

		if (length < 0)
			error = errno == EINTR ? 1 : -errno;
		else if ((size_t)length > sizeof(packet) || !length)
			error = -EMSGSIZE;
		else
			error = take_packet(sockets, namespace, packet, (unsigned)length);
	}
	if (fd >= 0)
		close(fd);
	return error;
}

/* Reads the sockets of a namespace, which the thread enters if it is in another one. */
static int read_other_namespace(struct unix_sockets *sockets, int namespace, ino_t inode)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), error = 0;
	struct stat status;

	if (own < 0)
		return -errno;
	if (fstat(own, &status))
		error = -errno;
	else if (status.st_ino == inode)
		error = read_namespace(sockets, inode);
	else if (setns(namespace, CLONE_NEWNET))
		error = -errno;
	else {
		error = read_namespace(sockets, inode);
		if (setns(own, CLONE_NEWNET) && !error)
			error = -errno;
	}
	close(own);
	return error;
}

static int compare_sockets(const void *left, const void *right)
{
	const struct unix_socket *a = left, *b = right;

	return a->inode < b->inode ? -1 : a->inode > b->inode;
}

static bool is_known(const struct unix_sockets *sockets, ino_t namespace)
{
	for (size_t i = 0; i < sockets->namespace_count; i++)
		if (sockets->namespaces[i] == namespace)
			return true;
	return false;
}

int unix_sockets_read(struct unix_sockets *sockets, int thread, bool again)
{
	int namespace, error;
	struct stat status;
	bool known;

	if (fstatat(thread, "ns/net", &status, 0))
		return -errno;
	known = is_known(sockets, status.st_ino);
	if (known && !again)
		return 0;
	namespace = openat(thread, "ns/net", O_RDONLY | O_CLOEXEC);
	if (namespace < 0)
		return -errno;
	error = fstat(namespace, &status) ? -errno
					  : read_other_namespace(sockets, namespace, status.st_ino);
	close(namespace);
	if (error)
		sockets->error = error;
	if (sockets->count)
		qsort(sockets->list, sockets->count, sizeof(*sockets->list), compare_sockets);
	/* After a failure, too: another attempt would fail as well. */
	if (!known) {
		memory_reserve(sockets->namespaces, &sockets->namespace_room,
			       sockets->namespace_count + 1, 16);
		sockets->namespaces[sockets->namespace_count++] = status.st_ino;
	}
	return 0;
}

const struct unix_socket *unix_sockets_find(const struct unix_sockets *sockets, ino_t inode)
{
	const struct unix_socket wanted = {.inode = inode};

	return sockets->count ? bsearch(&wanted, sockets->list, sockets->count,
					sizeof(*sockets->list), compare_sockets)
			      : NULL;
}

void unix_sockets_clear(struct unix_sockets *sockets)
{
	for (size_t i = 0; i < sockets->count; i++)
		free(sockets->list[i].path);
	free(sockets->list);
	free(sockets->namespaces);
	*sockets = (struct unix_sockets){0};
}
