/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * connection.c - see connection.h
 */
#include "control/connection.h"
#include "base/container_of.h"
#include "base/descriptor.h"
#include "change/release.h"
#include "control/carry_out.h"
#include "format/wire.h"
#include "protocol/control.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Waits for what can be done next. A hang-up is always reported. */
static void watch_connection(struct connection *connection)
{
	const struct question *question = &connection->question;
	struct epoll_event event = {.data.ptr = &connection->watch};

	if (!connection->busy)
		event.events = EPOLLIN;
	if (question->subscriber.lost)
		event.events |= EPOLLOUT;
	epoll_ctl(connection->means->epoll, EPOLL_CTL_MOD, connection->watch.fd, &event);
}

/* The peer does not read its events: it gets no more until the kernel says that it has. */
static void subscriber_is_full(struct subscriber *subscriber)
{
	watch_connection(container_of(subscriber, struct connection, question.subscriber));
}

void connection_hang_up(struct connection *connection)
{
	if (connection->gone)
		return;
	connection->gone = true;
	if (question_abandon(&connection->question))
		connection->busy = false;
	close(connection->watch.fd);
}

/* The answer of a question that connection_ready has passed on. */
static void send_answer(struct question *question, json_t *message)
{
	struct connection *connection = container_of(question, struct connection, question);
	char *text = json_dumps(message, JSON_COMPACT);

	connection->busy = false;
	if (!connection->gone) {
		if (text && send(connection->watch.fd, text, strlen(text),
				 MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			watch_connection(connection);
		else
			connection_hang_up(connection);
	}
	free(text);
	json_decref(message);
}

bool connection_is_library(const void *packet, size_t length)
{
	const uint64_t magic = WIRE_MAGIC;

	return length >= sizeof(magic) && !memcmp(packet, &magic, sizeof(magic));
}

/* Gives the descriptor to change/release.c, which owns it from then on. */
static void hand_over(struct connection *connection, size_t length, int fd)
{
	const struct connection_means *means = connection->means;

	connection->gone = true;
	epoll_ctl(means->epoll, EPOLL_CTL_DEL, connection->watch.fd, NULL);
	releases_take(means->releases, connection->watch.fd, &connection->question.peer,
		      means->packet, length, fd);
}

static void connection_ready(struct watch *watch, uint32_t epoll_events)
{
	struct connection *connection = container_of(watch, struct connection, watch);
	char *packet = connection->means->packet;
	bool first = !connection->had_some;
	ssize_t n;
	int fd;

	if (connection->gone)
		return;
	if (connection->question.subscriber.lost && epoll_events & EPOLLOUT) {
		events_writable(&connection->question.subscriber);
		watch_connection(connection);
	}
	if (connection->busy) {
		if (epoll_events & (EPOLLHUP | EPOLLERR))
			connection_hang_up(connection);
		return;
	}
	n = descriptor_receive(watch->fd, packet, CONTROL_MAX_BYTES, MSG_DONTWAIT, &fd);
	if (n == -EAGAIN || n == -EINTR)
		return;
	connection->had_some = true;
	if (n > 0 && first && connection_is_library(packet, (size_t)n)) {
		hand_over(connection, (size_t)n, fd);
	} else if (connection->library) {
		connection_hang_up(connection);
	} else if (n == -EMSGSIZE) {
		question_answer(&connection->question, EMSGSIZE, "the message is too long");
	} else if (n == -EMFILE) {
		question_answer(&connection->question, EMFILE,
				"more than one descriptor came, or there is no room");
	} else if (n <= 0) {
		connection_hang_up(connection);
	} else {
		connection->busy = true;
		watch_connection(connection);
		question_carry_out(&connection->question, packet, (size_t)n, fd);
	}
}

struct connection *connection_new(const struct connection_means *means, int fd,
				  const struct ucred *peer, bool library)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	struct epoll_event event = {.events = EPOLLIN};

	if (!connection)
		return NULL;
	connection->watch = (struct watch){.fd = fd, .ready = connection_ready};
	connection->means = means;
	connection->question.means = means->question;
	connection->question.peer = *peer;
	connection->question.socket = fd;
	connection->question.subscriber = (struct subscriber){
		.socket = fd,
		.uid = peer->uid,
		.full = subscriber_is_full,
	};
	connection->question.answer = send_answer;
	connection->library = library;
	event.data.ptr = &connection->watch;
	if (epoll_ctl(means->epoll, EPOLL_CTL_ADD, fd, &event)) {
		free(connection);
		return NULL;
	}
	return connection;
}

bool connection_is_over(const struct connection *connection)
{
	return connection->gone && !connection->busy;
}

void connection_free(struct connection *connection)
{
	question_clear(&connection->question);
	free(connection);
}
