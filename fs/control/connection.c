/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * connection.c - see connection.h
 */
#include "control/connection.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/share.h"
#include "change/release.h"
#include "control/carry_out.h"
#include "control/document_question.h"
#include "format/wire.h"
#include "protocol/control.h"
#include "receive/message.h"
#include "receive/packets.h"
#include "scan/process_table.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE      (30 * CLOCK_SECOND)  /* how long a peer may take no documents */
#define LONG_PATIENCE (600 * CLOCK_SECOND) /* how long it may take over all of them */

/* Waits for what can be done next. A hang-up is always reported. */
static void watch_connection(struct connection *connection)
{
	const struct question *question = &connection->question;
	struct epoll_event event = {.data.ptr = &connection->watch};

	if (connection->waits)
		event.events = 0;
	else if (!connection->busy)
		event.events = question->documents.stream ? EPOLLOUT : EPOLLIN;
	if (question->subscriber.lost && !connection->waits)
		event.events |= EPOLLOUT;
	epoll_ctl(connection->epoll, EPOLL_CTL_MOD, connection->watch.fd, &event);
}

/* The peer does not read its events: it gets no more until the kernel says that it has. */
static void subscriber_is_full(struct subscriber *subscriber)
{
	watch_connection(container_of(subscriber, struct connection, question.subscriber));
}

/* Its descriptor may stay open elsewhere, so closing it does not take it out of the set. */
static void leave_unheard(const struct connection *connection)
{
	if (!connection->had_some)
		epoll_ctl(connection->means->unheard, EPOLL_CTL_DEL, connection->watch.fd, NULL);
}

void connection_hang_up(struct connection *connection)
{
	if (connection->gone)
		return;
	connection->gone = true;
	if (question_abandon(&connection->question))
		connection->busy = false;
	leave_unheard(connection);
	epoll_ctl(connection->epoll, EPOLL_CTL_DEL, connection->watch.fd, NULL);
	receivers_close(connection->means->receivers, connection->watch.fd,
			connection->question.peer.uid, &connection->receive);
	if (connection->pidfd >= 0)
		close(connection->pidfd);
}

/* The answer of a question that connection_ready has passed on. */
static void send_answer(struct question *question, json_t *message)
{
	struct connection *connection = container_of(question, struct connection, question);
	char *text = json_text(message, JSON_COMPACT);

	connection->busy = false;
	if (!connection->gone) {
		if (text && send(connection->watch.fd, text, strlen(text),
				 MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			watch_connection(connection);
		else
			connection_hang_up(connection);
		connection->answered = connection->took = clock_now();
	}
	free(text);
	json_decref(message);
}

/* One packet at a time, so that others get their turn. */
static void send_documents(struct connection *connection)
{
	struct document_question *documents = &connection->question.documents;
	size_t length;
	const char *text = document_stream_text(documents->stream, &length);

	if (text && !length) {
		document_question_clear(documents);
		watch_connection(connection);
	} else if (text &&
		   send(connection->watch.fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
		document_stream_sent(documents->stream, length);
		connection->took = clock_now();
	} else if (!text || (errno != EAGAIN && errno != EINTR)) {
		connection_hang_up(connection);
	}
}

static struct user_quota *quota_of_peer(const struct connection *connection)
{
	return quota_of(connection->means->question->loop_time, connection->question.peer.uid);
}

/* Reads or sends nothing more until the peer's user has time. Returns whether it has. */
static bool has_time(struct connection *connection, uint64_t now)
{
	struct user_quota *user = quota_of_peer(connection);
	bool waits = user && !quota_has_credit(connection->means->question->loop_time, user, now);

	if (waits != connection->waits) {
		connection->waits = waits;
		connection->took = now;
		watch_connection(connection);
	}
	return !waits;
}

uint64_t connection_expire(struct connection *connection, uint64_t now)
{
	uint64_t due;

	if (!connection->gone && connection->waits && !has_time(connection, now))
		return quota_due(connection->means->question->loop_time, quota_of_peer(connection));
	due = connection->took + PATIENCE;
	if (due > connection->answered + LONG_PATIENCE)
		due = connection->answered + LONG_PATIENCE;
	if (connection->gone || connection->busy || !connection->question.documents.stream)
		return UINT64_MAX;
	if (now < due)
		return due;
	log_of_user(LOG_TOPIC_CONNECTIONS, connection->question.peer.uid, LOG_INFO,
		    "a reader of documents was hung up: it does not read, or too slowly");
	connection_hang_up(connection);
	return UINT64_MAX;
}

static bool is_library_packet(const void *packet, size_t length)
{
	const uint64_t magic = WIRE_MAGIC;

	return length >= sizeof(magic) && !memcmp(packet, &magic, sizeof(magic));
}

bool connection_has_library_packet(int fd)
{
	uint64_t begin;
	ssize_t n = recv(fd, &begin, sizeof(begin), MSG_PEEK | MSG_DONTWAIT);

	return n > 0 && is_library_packet(&begin, (size_t)n);
}

/* Gives its descriptors to change/release.c, which owns them from then on. */
static void hand_over(struct connection *connection, const char *packet, size_t length, int fd)
{
	const struct connection_means *means = connection->means;

	connection->gone = true;
	epoll_ctl(connection->epoll, EPOLL_CTL_DEL, connection->watch.fd, NULL);
	releases_take(means->releases, connection->watch.fd, &connection->question.peer,
		      connection->pidfd, packet, length, fd);
}

/*
 * Carries out a packet of `n` bytes (or a negative errno). Takes ownership of `fd`, -1: none.
 * `refused`: see question_carry_out.
 */
static void handle_packet(struct connection *connection, const char *packet, ssize_t n, int fd,
			  const struct receive_result *refused)
{
	bool first = !connection->had_some;

	leave_unheard(connection);
	connection->had_some = true;
	if (n > 0 && first && is_library_packet(packet, (size_t)n)) {
		hand_over(connection, packet, (size_t)n, fd);
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
		question_carry_out(&connection->question, packet, (size_t)n, fd, refused);
	}
}

/* The packet with descriptors has been received. */
static void packet_received(struct receive *receive, const struct receive_result *result,
			    const char *packet, int fd)
{
	struct connection *connection = container_of(receive, struct connection, receive);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connection->watch};

	if (epoll_ctl(connection->epoll, EPOLL_CTL_ADD, connection->watch.fd, &event)) {
		if (fd >= 0)
			receivers_close_file(connection->means->receivers, fd,
					     connection->question.peer.uid, 0, NULL);
		connection_hang_up(connection);
		return;
	}
	handle_packet(connection, packet, result->size, fd, result->refused ? result : NULL);
}

/*
 * Until the packet has been received, not even a hang-up matters: a library sends one packet and
 * closes the connection.
 */
static void receive_packet(struct connection *connection)
{
	const struct connection_means *means = connection->means;
	const struct ucred *peer = &connection->question.peer;

	/* Meanwhile the scanner can find the table, if it may look at the process. */
	if (connection->library)
		process_table_pass_table(means->question->process_table, peer,
					 fcntl(connection->pidfd, F_DUPFD_CLOEXEC, 0), -1);
	epoll_ctl(connection->epoll, EPOLL_CTL_DEL, connection->watch.fd, NULL);
	connection->receive.received = packet_received;
	if (receivers_take(means->receivers, connection->watch.fd, peer->uid, peer->pid,
			   &connection->receive))
		connection_hang_up(connection);
}

/*
 * A library passes its table to the daemon of its own user, which has nothing to fear from that
 * user. So its packet is read at once, and what was mapped before a question is known when the
 * question is carried out.
 */
static bool is_own_library(const struct connection *connection)
{
	return !connection->had_some && connection->question.peer.uid == geteuid() &&
	       connection->library;
}

static void serve(struct connection *connection, uint32_t epoll_events)
{
	char *packet = connection->means->packet;
	struct packet_head head;
	ssize_t n;
	int fd = -1;

	if (connection->question.subscriber.lost && epoll_events & EPOLLOUT) {
		events_writable(&connection->question.subscriber);
		watch_connection(connection);
	}
	if (connection->busy) {
		if (epoll_events & (EPOLLHUP | EPOLLERR))
			connection_hang_up(connection);
		return;
	}
	if (connection->question.documents.stream) {
		if (epoll_events & (EPOLLHUP | EPOLLERR))
			connection_hang_up(connection);
		else
			send_documents(connection);
		return;
	}
	/* What a peer that has gone had asked ahead is not carried out. */
	if (connection->had_some && epoll_events & EPOLLHUP) {
		connection_hang_up(connection);
		return;
	}
	n = packets_take_plain(connection->watch.fd, packet, CONTROL_MAX_BYTES, &head);
	if (head.carries && is_own_library(connection)) {
		n = packets_take_trusted(connection->watch.fd, packet, CONTROL_MAX_BYTES, &fd);
		head.carries = false;
	}
	if (head.carries)
		receive_packet(connection);
	else if (n != -EAGAIN && n != -EINTR)
		handle_packet(connection, packet, n, fd, NULL);
}

static void connection_ready(struct watch *watch, uint32_t epoll_events)
{
	struct connection *connection = container_of(watch, struct connection, watch);
	struct quota *loop_time = connection->means->question->loop_time;
	struct user_quota *user = quota_of_peer(connection);
	uint64_t begun = clock_now(), now;

	if (connection->gone)
		return;
	/* A library sends one packet and may leave at once: it is charged, but never waits. */
	if (!connection->had_some && !connection->library)
		connection->library = connection_has_library_packet(watch->fd);
	if (!connection->library && !has_time(connection, begun)) {
		if (epoll_events & (EPOLLHUP | EPOLLERR))
			connection_hang_up(connection);
		return;
	}
	serve(connection, epoll_events);
	now = clock_now();
	if (user)
		quota_charge(loop_time, user, now, now - begun);
}

void connection_hear(struct connection *connection)
{
	if (connection->gone || connection->had_some || connection->receive.job)
		return;
	if (!connection->library)
		connection->library = connection_has_library_packet(connection->watch.fd);
	if (connection->library)
		connection_ready(&connection->watch, 0);
}

struct connection *connection_new(const struct connection_means *means, int fd, int pidfd,
				  const struct ucred *peer, bool library)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	struct epoll_event event = {.events = EPOLLIN};
	struct epoll_event unheard = {.events = EPOLLIN | EPOLLET, .data.ptr = connection};

	if (!connection)
		return NULL;
	connection->watch = (struct watch){.fd = fd, .ready = connection_ready};
	connection->pidfd = pidfd;
	connection->means = means;
	connection->epoll = share_is_limited(peer->uid) ? means->users : means->first;
	connection->question.means = means->question;
	connection->question.streams = means->streams;
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
	if (epoll_ctl(connection->epoll, EPOLL_CTL_ADD, fd, &event))
		goto free_connection;
	if (epoll_ctl(means->unheard, EPOLL_CTL_ADD, fd, &unheard))
		goto unwatch;
	return connection;
unwatch:
	epoll_ctl(connection->epoll, EPOLL_CTL_DEL, fd, NULL);
free_connection:
	free(connection);
	return NULL;
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
