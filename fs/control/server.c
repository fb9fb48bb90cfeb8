/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.c - see server.h
 *
 * Accepts, limits and frees connections, and owns them. connection.c reads what they send,
 * question.c carries it out.
 */
#include "control/server.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/fd_watch.h"
#include "base/log.h"
#include "base/pidfd.h"
#include "base/time_quota.h"
#include "control/connection.h"
#include "control/question.h"
#include "protocol/control.h"
#include "receive/packets.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

const struct share server_share = {
	.what = "connections to the socket", .total = 512, .root = 64, .user = 64, .sure = 2};

#define DEAF_PAUSE      CLOCK_SECOND /* when there are no descriptors */
#define ACCEPTS_AT_ONCE 4            /* connections of users may come before root's */
/* As many as can wait when server_hear is called: one more than the listener's backlog. */
#define HEARD_MAX     129
#define HEARD_AT_ONCE 64
#define HEARD_ROUNDS  32 /* more than there are connections */

struct server {
	struct watch watch; /* of the listener */
	struct connection_means means;
	struct document_streams streams;
	struct connection *connections;
	int spare; /* a descriptor to give up when there is no other; -1: none */
	bool deaf; /* the listener is not watched */
};

static bool has_room_for_connection(const struct server *server, uid_t uid)
{
	struct share_use use = {.uid = uid};
	char why[256];

	share_count(&use, uid, receivers_waiting(server->means.receivers, uid));
	for (const struct connection *c = server->connections; c; c = c->next)
		if (!c->library) /* these are soon handed over, or wait for their user's receiver */
			share_count(&use, c->question.peer.uid, 1);
	if (share_room(&server_share, &use))
		return true;
	share_refusal(&server_share, &use, why, sizeof(why));
	log_debug("a connection to the socket was refused: %s", why);
	return false;
}

/* Takes ownership of `fd`, -1 for none. Returns the peer's user. */
static uid_t refuse(struct server *server, int fd)
{
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);

	if (fd < 0)
		return 0;
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
	receivers_close(server->means.receivers, fd, peer.uid, NULL);
	return peer.uid;
}

/* While no descriptor is free, epoll would report the waiting connection again and again. */
static void turn_away(struct server *server)
{
	uid_t uid;

	if (server->spare < 0) { /* listen again when a connection has ended, or later */
		epoll_ctl(server->means.first, EPOLL_CTL_DEL, server->watch.fd, NULL);
		server->deaf = true;
		return;
	}
	close(server->spare);
	uid = refuse(server, accept4(server->watch.fd, NULL, NULL, SOCK_CLOEXEC));
	server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	log_of_user(LOG_TOPIC_CONNECTIONS, uid, LOG_WARNING,
		    "a connection of user %u was refused: no descriptor to spare", uid);
}

/* A connection is accepted at its user's cost, whether or not the user has time: root's may be
 * next. */
static void charge_peer(const struct server *server, uid_t uid, uint64_t begun)
{
	struct quota *loop_time = server->means.question->loop_time;
	struct user_quota *user = quota_of(loop_time, uid);
	uint64_t now = clock_now();

	if (user)
		quota_charge_now(loop_time, user, now, now - begun);
}

/* False: there is none that can be accepted now. */
static bool accept_connection(struct server *server)
{
	uint64_t begun = clock_now();
	struct connection *connection;
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);
	bool library;
	int fd, pidfd = -1;

	fd = accept4(server->watch.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(server);
		return false;
	}
	if (packets_prepare(fd) || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		goto refuse;
	/* A library has mostly sent its first packet by the time it is accepted. */
	library = connection_has_library_packet(fd);
	if (!library && !has_room_for_connection(server, peer.uid))
		goto refuse;
	pidfd = pidfd_open_peer(fd, peer.pid);
	connection = connection_new(&server->means, fd, pidfd, &peer, library);
	if (!connection) {
		log_debug("a connection to the socket was refused: out of memory");
		goto refuse;
	}
	connection->next = server->connections;
	server->connections = connection;
	charge_peer(server, peer.uid, begun);
	return true;
refuse:
	if (pidfd >= 0)
		close(pidfd);
	refuse(server, fd);
	charge_peer(server, peer.uid, begun);
	return true;
}

static void listener_ready(struct watch *watch, uint32_t epoll_events)
{
	struct server *server = container_of(watch, struct server, watch);

	(void)epoll_events;
	for (int i = 0; i < ACCEPTS_AT_ONCE && accept_connection(server); i++)
		;
}

/* Only of those from which something has come since the last time: many may be silent. */
static void hear_connections(const struct server *server)
{
	struct epoll_event events[HEARD_AT_ONCE];
	int count = HEARD_AT_ONCE;

	for (int i = 0; i < HEARD_ROUNDS && count == HEARD_AT_ONCE; i++) {
		count = epoll_wait(server->means.unheard, events, HEARD_AT_ONCE, 0);
		for (int j = 0; j < count; j++)
			connection_hear(events[j].data.ptr);
	}
}

void server_hear(struct server *server)
{
	for (int i = 0; i < HEARD_MAX && accept_connection(server); i++)
		;
	hear_connections(server);
}

static void listen_again(struct server *server)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &server->watch};

	if (server->spare < 0)
		server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	/* Without a descriptor to spare the next connection would be turned away like the last one.
	 */
	if (server->deaf && server->spare >= 0 &&
	    !epoll_ctl(server->means.first, EPOLL_CTL_ADD, server->watch.fd, &event))
		server->deaf = false;
}

uint64_t server_expire(struct server *server, uint64_t now)
{
	uint64_t next = document_streams_work(&server->streams) ? 0 : UINT64_MAX;

	/* Others than connections may have taken all descriptors, and given some back. */
	if (server->deaf)
		listen_again(server);
	if (server->deaf)
		next = now + DEAF_PAUSE;
	for (struct connection *c = server->connections; c; c = c->next) {
		uint64_t due = connection_expire(c, now);

		if (due < next)
			next = due;
	}
	return next;
}

bool server_sweep(struct server *server)
{
	struct connection **at = &server->connections, *connection;
	bool any = false;

	while ((connection = *at)) {
		if (!connection_is_over(connection)) {
			at = &connection->next;
			continue;
		}
		*at = connection->next;
		connection_free(connection);
		listen_again(server);
		any = true;
	}
	return any;
}

struct server *server_new(const struct question_means *means, struct releases *releases,
			  struct receivers *receivers, int first, int users, int listener)
{
	struct server *server = calloc(1, sizeof(*server));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &server->watch};

	if (!server)
		return NULL;
	server->watch = (struct watch){.fd = listener, .ready = listener_ready};
	server->means = (struct connection_means){
		.question = means,
		.releases = releases,
		.receivers = receivers,
		.first = first,
		.users = users,
		.unheard = epoll_create1(EPOLL_CLOEXEC),
		.packet = malloc(CONTROL_MAX_BYTES),
		.streams = &server->streams,
	};
	server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (!server->means.packet || server->means.unheard < 0 ||
	    epoll_ctl(first, EPOLL_CTL_ADD, listener, &event)) {
		close(server->means.unheard);
		close(server->spare);
		free(server->means.packet);
		free(server);
		return NULL;
	}
	return server;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	for (struct connection *c = server->connections; c; c = c->next) {
		connection_hang_up(c);
		c->busy = false;
	}
	document_streams_close(&server->streams);
	server_sweep(server);
	document_streams_close(&server->streams);
	close(server->means.unheard);
	close(server->spare);
	free(server->means.packet);
	free(server);
}
