/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * release_peer.c - see release_peer.h
 *
 * The peers are not trusted: a packet that is not expected ends the connection, and the number of
 * connections of a user is limited.
 */
#include "change/release_peer.h"
#include "base/container_of.h"
#include "base/log.h"
#include "scan/process_table.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

#define PEERS_MAX      4096
#define PEERS_PER_USER 1024 /* other than root */

bool release_peer_send(struct release_peer *peer, enum wire_type type, uint64_t request,
		       uint32_t slot, uint64_t generation)
{
	const struct wire_message message = {
		.magic = WIRE_MAGIC,
		.type = type,
		.table = peer->table,
		.request = request,
		.slot = slot,
		.generation = generation,
	};

	if (send(peer->watch.fd, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM))
		return false;
	if (type == WIRE_ASK)
		peer->allowance += 2;
	return true;
}

void release_peer_hang_up(struct release_peer *peer)
{
	peer->ended = true;
	peer->peers->some_ended = true;
	epoll_ctl(peer->peers->epoll, EPOLL_CTL_DEL, peer->watch.fd, NULL);
	close(peer->watch.fd);
	peer->peers->ended(peer);
}

/* False: garbage, or more than the peer was asked for. */
static bool handle_peer_message(struct release_peer *peer, const struct wire_message *message)
{
	if (message->type != WIRE_READY && message->type != WIRE_DONE)
		return message->type != WIRE_TABLE;
	if (!peer->allowance)
		return false;
	peer->allowance--;
	peer->peers->received(peer, message);
	return true;
}

static bool is_message(const struct wire_message *message, ssize_t size)
{
	return size == (ssize_t)sizeof(*message) && message->magic == WIRE_MAGIC;
}

static void peer_readable(struct watch *watch, uint32_t epoll_events)
{
	struct release_peer *peer = container_of(watch, struct release_peer, watch);
	struct wire_message message;
	ssize_t n;

	(void)epoll_events;
	if (peer->ended)
		return;
	/* Descriptors that come along are dropped by the kernel: there is no room for them. */
	n = recv(watch->fd, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (!is_message(&message, n) || !handle_peer_message(peer, &message))
		release_peer_hang_up(peer);
}

struct release_peer *release_peers_find(const struct release_peers *peers, pid_t pid,
					uint64_t table)
{
	struct release_peer *peer;

	LIST_FOREACH(peer, &peers->list, others)
	if (!peer->ended && peer->who.pid == pid && peer->table == table)
		break;
	return peer;
}

static bool has_room_for_peer(const struct release_peers *peers, uid_t uid)
{
	unsigned all = 0, own = 0;
	const struct release_peer *peer;

	LIST_FOREACH(peer, &peers->list, others)
	{
		all += !peer->ended;
		own += !peer->ended && peer->who.uid == uid;
	}
	/* The last places are root's. */
	return !uid ? all < PEERS_MAX : own < PEERS_PER_USER && all < PEERS_MAX - PEERS_PER_USER;
}

/* The connection stays, and replaces an earlier one. False: it cannot, and is still the caller's.
 */
static bool keep_connection(struct release_peers *peers, int socket, const struct ucred *who,
			    uint64_t table)
{
	struct release_peer *peer = release_peers_find(peers, who->pid, table);
	struct epoll_event event = {.events = EPOLLIN};

	if (peer)
		release_peer_hang_up(peer);
	if (!has_room_for_peer(peers, who->uid)) {
		log_debug("process %d cannot be asked to release mappings: too many can",
			  (int)who->pid);
		return false;
	}
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return false;
	*peer = (struct release_peer){
		.peers = peers,
		.who = *who,
		.table = table,
		.watch = {.fd = socket, .ready = peer_readable},
	};
	event.data.ptr = &peer->watch;
	if (epoll_ctl(peers->epoll, EPOLL_CTL_ADD, socket, &event)) {
		free(peer);
		return false;
	}
	LIST_INSERT_HEAD(&peers->list, peer, others);
	return true;
}

/*
 * The process at the other end. Its number may be another one's by now, which a kernel that gives
 * out its pidfd rules out. Negative: it has gone.
 */
static int open_pidfd_of_peer(int socket, pid_t pid)
{
	int fd = -1;
	socklen_t size = sizeof(fd);

	if (!getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size))
		return fd;
	return errno == ENOPROTOOPT ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

void release_peers_accept(struct release_peers *peers, int socket, const struct ucred *who,
			  const void *packet, size_t size, int fd)
{
	struct wire_message message;
	int pidfd = -1;

	if (size != sizeof(message))
		goto drop;
	memcpy(&message, packet, sizeof(message));
	/* A process that is not in our pid namespace has no number. */
	if (!is_message(&message, sizeof(message)) || message.type != WIRE_TABLE || !who->pid)
		goto drop;
	pidfd = open_pidfd_of_peer(socket, who->pid);
	if (pidfd < 0 && errno != ENOSYS)
		goto drop;
	process_table_pass_table(peers->process_table, who, pidfd, fd);
	fd = -1;
	if (message.flags & WIRE_STAYS && keep_connection(peers, socket, who, message.table))
		return;
drop:
	if (fd >= 0)
		close(fd);
	close(socket);
}

void release_peers_sweep(struct release_peers *peers)
{
	struct release_peer *peer, *next;

	for (peer = peers->some_ended ? LIST_FIRST(&peers->list) : NULL; peer; peer = next) {
		next = LIST_NEXT(peer, others);
		if (!peer->ended)
			continue;
		LIST_REMOVE(peer, others);
		free(peer);
	}
	peers->some_ended = false;
}

void release_peers_clear(struct release_peers *peers)
{
	struct release_peer *peer;

	while ((peer = LIST_FIRST(&peers->list))) {
		if (!peer->ended)
			close(peer->watch.fd);
		LIST_REMOVE(peer, others);
		free(peer);
	}
}
