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
#include "base/pidfd.h"
#include "receive/packets.h"
#include "receive/receivers.h"
#include "scan/process_table.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

const struct share release_peers_share = {
	.what = "connections of processes that can be asked to release mappings",
	.total = 4096,
	.root = 1024,
	.user = 1024,
	.sure = 16,
};

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

	if (!pidfd_is_alive(peer->end.fd))
		return false;
	if (send(peer->watch.fd, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM))
		return false;
	if (type == WIRE_ASK)
		peer->allowance += 2;
	return true;
}

static void close_peer(struct release_peer *peer)
{
	const struct release_peers *peers = peer->peers;

	epoll_ctl(peer->epoll, EPOLL_CTL_DEL, peer->watch.fd, NULL);
	receivers_close(peers->receivers, peer->watch.fd, peer->who.uid, NULL);
	/* Others may have descriptors of the same pidfd: closing does not end the watch. */
	epoll_ctl(peer->epoll, EPOLL_CTL_DEL, peer->end.fd, NULL);
	close(peer->end.fd);
}

void release_peer_hang_up(struct release_peer *peer)
{
	peer->ended = true;
	peer->peers->some_ended = true;
	close_peer(peer);
	peer->peers->ended(peer);
}

static void process_ended(struct watch *watch, uint32_t epoll_events)
{
	struct release_peer *peer = container_of(watch, struct release_peer, end);

	(void)epoll_events;
	if (!peer->ended)
		release_peer_hang_up(peer);
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
	struct packet_head head;
	ssize_t n;

	(void)epoll_events;
	if (peer->ended)
		return;
	n = packets_take_plain(watch->fd, &message, sizeof(message), &head);
	if (n == -EAGAIN || n == -EINTR)
		return;
	/* While the peer is alive, no other process can have sent it under its pid. */
	if (head.carries || !is_message(&message, n) || head.sender != peer->who.pid ||
	    !pidfd_is_alive(peer->end.fd) || !handle_peer_message(peer, &message))
		release_peer_hang_up(peer);
}

static struct release_peer *find_peer(const struct release_peers *peers, pid_t pid, uint64_t table)
{
	struct release_peer *peer;

	LIST_FOREACH(peer, &peers->list, others)
	if (!peer->ended && peer->who.pid == pid && peer->table == table)
		break;
	return peer;
}

struct release_peer *release_peers_find(const struct release_peers *peers,
					const struct process *process, uint64_t table)
{
	struct release_peer *peer = find_peer(peers, process->pid, table);

	return peer && pidfd_is_alive(peer->end.fd) && pidfd_is_alive(process->watch.fd) ? peer
											 : NULL;
}

static bool has_room_for_peer(const struct release_peers *peers, const struct ucred *who)
{
	struct share_use use = {.uid = who->uid};
	const struct release_peer *peer;
	char why[256];

	LIST_FOREACH(peer, &peers->list, others)
	share_count(&use, peer->who.uid, !peer->ended);
	if (share_room(&release_peers_share, &use))
		return true;
	share_refusal(&release_peers_share, &use, why, sizeof(why));
	log_debug("process %d cannot be asked to release mappings: %s", (int)who->pid, why);
	return false;
}

static bool watch(const struct release_peer *peer, struct watch *watch)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

	return !epoll_ctl(peer->epoll, EPOLL_CTL_ADD, watch->fd, &event);
}

/*
 * Keeps the connection, which replaces an earlier one of this process, or of an earlier process
 * with the same pid. False: it cannot be kept, and both descriptors are still the caller's.
 */
static bool keep_connection(struct release_peers *peers, int socket, const struct ucred *who,
			    int pidfd, uint64_t table)
{
	struct release_peer *peer = find_peer(peers, who->pid, table);

	if (peer)
		release_peer_hang_up(peer);
	if (!has_room_for_peer(peers, who))
		return false;
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return false;
	*peer = (struct release_peer){
		.peers = peers,
		.who = *who,
		.table = table,
		.epoll = share_is_limited(who->uid) ? peers->users : peers->first,
		.watch = {.fd = socket, .ready = peer_readable},
		.end = {.fd = pidfd, .ready = process_ended},
	};
	if (!watch(peer, &peer->watch)) {
		free(peer);
		return false;
	}
	if (!watch(peer, &peer->end)) {
		epoll_ctl(peer->epoll, EPOLL_CTL_DEL, socket, NULL);
		free(peer);
		return false;
	}
	LIST_INSERT_HEAD(&peers->list, peer, others);
	return true;
}

void release_peers_accept(struct release_peers *peers, int socket, const struct ucred *who,
			  int pidfd, const void *packet, size_t size, int fd)
{
	struct wire_message message;

	if (size != sizeof(message))
		goto drop;
	memcpy(&message, packet, sizeof(message));
	/* A process that is not in our pid namespace has no number. */
	if (!is_message(&message, sizeof(message)) || message.type != WIRE_TABLE || !who->pid)
		goto drop;
	if (!pidfd_is_alive(pidfd))
		goto drop;
	process_table_pass_table(peers->process_table, who, fcntl(pidfd, F_DUPFD_CLOEXEC, 0), fd);
	fd = -1;
	if (message.flags & WIRE_STAYS && keep_connection(peers, socket, who, pidfd, message.table))
		return;
drop:
	if (fd >= 0)
		receivers_close_file(peers->receivers, fd, who->uid, 0, NULL);
	if (pidfd >= 0)
		close(pidfd);
	receivers_close(peers->receivers, socket, who->uid, NULL);
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
			close_peer(peer);
		LIST_REMOVE(peer, others);
		free(peer);
	}
}
