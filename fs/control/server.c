/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.c - see server.h
 *
 * A connection whose first packet is not a question but one of a library (wire.h) goes to
 * release.c. Of the others:
 *
 * A connection asks one question at a time and is not read while its answer is being made. Who
 * asks is what the kernel says. One that does not take its answers is closed.
 */
#include "control/server.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/descriptor.h"
#include "base/escape.h"
#include "base/json_fields.h"
#include "base/log.h"
#include "base/watch.h"
#include "catalog/catalog.h"
#include "catalog/events.h"
#include "change/mapper.h"
#include "change/release.h"
#include "format/wire.h"
#include "fuse/invalidate.h"
#include "protocol/control.h"
#include "scan/process_table.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX      256
#define CONNECTIONS_PER_USER 64 /* other than root */
#define UNMAP_SECONDS        10
#define UNMAP_SECONDS_MIN    0.3 /* as rm: less gives the keeper no chance */
#define TIMEOUT_MAX          86400.0

struct connection {
	struct watch watch;
	struct server *server;
	struct connection *next;
	struct ucred peer;
	struct map_job *job;       /* a mapping that is being made */
	struct change_job *change; /* of a mapping that another process is being asked for */
	char *name;                /* that is being unmapped */
	struct waiter looking;
	bool library;  /* by its first packet, when it came */
	bool had_some; /* packets */
	bool busy;     /* an answer is being made */
	bool gone;     /* to be freed when not busy */
};

struct server {
	struct watch watch; /* the listener */
	struct service *service;
	int epoll;
	struct connection *connections;
	char *packet; /* CONTROL_MAX_BYTES */
	int spare;    /* a descriptor to give up when there is no other; -1: none */
	bool deaf;    /* the listener is not watched */
};

static void watch_connection(struct connection *connection, bool read)
{
	struct epoll_event event = {
		.events = read ? EPOLLIN : 0, /* a hang-up is always told */
		.data.ptr = &connection->watch,
	};

	epoll_ctl(connection->server->epoll, EPOLL_CTL_MOD, connection->watch.fd, &event);
}

static void hang_up(struct connection *connection)
{
	if (connection->gone)
		return;
	connection->gone = true;
	events_unsubscribe(connection->server->service->events, connection->watch.fd);
	close(connection->watch.fd);
	if (connection->job) {
		mapper_abandon(connection->job);
		connection->busy = false;
	}
	if (connection->change) {
		mapper_withdraw(connection->change);
		connection->busy = false;
	}
}

/* Takes the answer. */
static void answer(struct connection *connection, json_t *message)
{
	char *text = json_dumps(message, JSON_COMPACT);

	connection->busy = false;
	if (!connection->gone) {
		if (text && send(connection->watch.fd, text, strlen(text),
				 MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			watch_connection(connection, true);
		else
			hang_up(connection);
	}
	free(text);
	json_decref(message);
}

static void answer_result(struct connection *connection, int error, const char *why)
{
	json_t *message = json_pack("{s:i}", "errno", error);

	if (error)
		json_field_bytes(message, "message", why);
	answer(connection, message);
}

/* The name in `question` under `key`, as bytes, to be freed; NULL when it cannot be one. */
static char *get_name(const json_t *question, const char *key)
{
	const char *encoding = json_string_value(json_object_get(question, "name_encoding"));
	const char *text = json_string_value(json_object_get(question, key));
	char *name;

	if (!text || (encoding && strcmp(encoding, "escaped") != 0))
		return NULL;
	name = encoding ? escape_decode(text) : strdup(text);
	if (name && (!*name || strlen(name) > NAME_LENGTH_MAX || strchr(name, '/') ||
		     !strcmp(name, ".") || !strcmp(name, ".."))) {
		free(name);
		return NULL;
	}
	return name;
}

static void say_hello(struct connection *connection)
{
	json_t *message = json_pack("{s:i, s:s}", "errno", 0, "version", PMEM2FS_VERSION);

	json_field_bytes(message, "mountpoint", connection->server->service->options->mountpoint);
	answer(connection, message);
}

/* May the peer make files in the root directory, as the kernel would decide it by its mode? */
static bool may_create(const struct connection *connection)
{
	unsigned mode = connection->server->service->options->rootmode;
	gid_t groups[1024];
	socklen_t size = sizeof(groups);

	if (!connection->peer.uid)
		return true;
	if (connection->peer.uid == geteuid())
		return mode & 0200;
	if (connection->peer.gid == getegid())
		return mode & 0020;
	if (!getsockopt(connection->watch.fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		for (size_t i = 0; i < size / sizeof(*groups); i++)
			if (groups[i] == getegid())
				return mode & 0020;
	return mode & 0002;
}

static void finished(void *arg, int error, const char *why)
{
	answer_result(arg, error, why);
}

static void ask_map(struct connection *connection, const json_t *question, int fd)
{
	struct service *service = connection->server->service;
	char reason[REQUEST_WHY_LENGTH], why[MAPPER_WHY_LENGTH];
	char *name = get_name(question, "name");
	struct request request;
	int error;

	if (!name) {
		answer_result(connection, EINVAL, "bad request: \"name\" is no file name");
		goto close_fd;
	}
	if (!may_create(connection)) {
		snprintf(why, sizeof(why), "%s: user %u may not make mappings (rootmode=)", name,
			 connection->peer.uid);
		error = -EACCES;
		goto failed;
	}
	error = request_from_json(json_object_get(question, "map"), fd >= 0, &request, reason);
	if (!error && !request.anonymous && fd < 0) {
		request_clear(&request);
		snprintf(reason, sizeof(reason), "no descriptor came with it");
		error = -EINVAL;
	}
	if (error) {
		snprintf(why, sizeof(why), "%s: bad request: %s", name, reason);
		goto failed;
	}
	mapper_map(service, name, &request, connection->peer.uid, connection->peer.gid, NULL, fd,
		   connection->peer.pid, finished, connection, &connection->job);
	free(name);
	return;
failed:
	mapper_failed(service, "map", name, connection->peer.uid, -error, why);
	answer_result(connection, -error, why);
	free(name);
close_fd:
	if (fd >= 0)
		close(fd);
}

static void unmap_finished(void *arg, int error, const char *why)
{
	struct connection *connection = arg;

	if (!error)
		invalidate_name(connection->server->service, connection->name);
	free(connection->name);
	connection->name = NULL;
	answer_result(connection, error, why);
}

/*
 * The mapping that `question` names under `key`, and how long to wait, in nanoseconds. NULL: the
 * question is answered.
 */
static struct mapping *get_mapping(struct connection *connection, const json_t *question,
				   const char *key, uint64_t *patience)
{
	const json_t *timeout = json_object_get(question, "timeout");
	double seconds = timeout ? json_number_value(timeout) : UNMAP_SECONDS;
	char *name = get_name(question, key);
	struct mapping *mapping = NULL;
	char why[MAPPER_WHY_LENGTH];

	if (!name || (timeout && !json_is_number(timeout)) ||
	    !(seconds >= 0 && seconds <= TIMEOUT_MAX)) {
		answer_result(connection, EINVAL, "bad request: no name or no sensible timeout");
	} else {
		mapping = catalog_find(connection->server->service->catalog, name);
		snprintf(why, sizeof(why), "%s: no such mapping", name);
		if (!mapping)
			answer_result(connection, ENOENT, why);
	}
	free(name);
	if (seconds < UNMAP_SECONDS_MIN)
		seconds = UNMAP_SECONDS_MIN;
	*patience = (uint64_t)(seconds * CLOCK_SECOND);
	return mapping;
}

static void ask_unmap(struct connection *connection, const json_t *question)
{
	struct mapping *mapping;
	uint64_t patience;

	mapping = get_mapping(connection, question, "unmap", &patience);
	if (!mapping)
		return;
	connection->name = strdup(mapping_name(mapping));
	if (!connection->name) {
		answer_result(connection, ENOMEM, "out of memory");
		return;
	}
	mapper_unmap(connection->server->service, mapping, connection->peer.uid, patience,
		     unmap_finished, connection, &connection->change);
}

static void ask_unmap_range(struct connection *connection, const json_t *question)
{
	const json_t *offset = json_object_get(question, "offset");
	const json_t *length = json_object_get(question, "length");
	struct mapping *mapping;
	uint64_t patience;

	/* One that is missing may be misspelled. */
	if (!json_is_integer(offset) || json_integer_value(offset) < 0 ||
	    !(json_is_null(length) ||
	      (json_is_integer(length) && json_integer_value(length) >= 0))) {
		answer_result(connection, EINVAL, "bad request: no sensible offset or length");
		return;
	}
	mapping = get_mapping(connection, question, "unmap_range", &patience);
	if (mapping)
		mapper_unmap_range(connection->server->service, mapping,
				   (uint64_t)json_integer_value(offset),
				   json_is_null(length) ? MAPPER_TO_THE_END
							: (uint64_t)json_integer_value(length),
				   connection->peer.uid, patience, finished, connection);
}

static void ask_events(struct connection *connection)
{
	int error = events_subscribe(connection->server->service->events, connection->watch.fd,
				     connection->peer.uid);

	answer_result(connection, -error, "out of memory");
}

static struct connection *looking_connection(struct waiter *waiter)
{
	return container_of(waiter, struct connection, looking);
}

static void looked(struct waiter *waiter)
{
	struct connection *connection = looking_connection(waiter);
	bool complete = process_table_complete(connection->server->service->process_table);

	answer(connection, json_pack("{s:i, s:b}", "errno", 0, "complete", complete));
}

static void ask_look(struct connection *connection)
{
	connection->looking.wake = looked;
	switch (process_table_scan(connection->server->service->process_table, true,
				   &connection->looking)) {
	case 0:
		break;
	case 1:
		looked(&connection->looking);
		break;
	default:
		answer_result(connection, ENOMEM, "out of memory");
	}
}

/* `fd` came along, or is -1; it is used up. */
static void ask(struct connection *connection, const char *text, size_t length, int fd)
{
	json_t *question = NULL;

	/* jansson takes a NUL behind a number for white space. */
	if (!memchr(text, '\0', length))
		question = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);

	connection->busy = true;
	watch_connection(connection, false);
	if (json_object_get(question, "unmap") && json_object_get(question, "unmap_range")) {
		answer_result(connection, EINVAL, "unmap and unmap_range are two questions");
	} else if (json_object_get(question, "map")) {
		ask_map(connection, question, fd);
		fd = -1;
	} else if (json_object_get(question, "unmap")) {
		ask_unmap(connection, question);
	} else if (json_object_get(question, "unmap_range")) {
		ask_unmap_range(connection, question);
	} else if (json_object_get(question, "look")) {
		ask_look(connection);
	} else if (json_object_get(question, "events")) {
		ask_events(connection);
	} else if (json_object_get(question, "hello")) {
		say_hello(connection);
	} else {
		answer_result(connection, EINVAL, "not a question that this daemon knows");
	}
	if (fd >= 0)
		close(fd);
	json_decref(question);
}

/* Of `packet`, whose first bytes they are. */
static bool is_library(const void *packet, size_t length)
{
	const uint64_t magic = WIRE_MAGIC;

	return length >= sizeof(magic) && !memcmp(packet, &magic, sizeof(magic));
}

/* The connection is not ours any more. */
static void hand_over(struct connection *connection, size_t length, int fd)
{
	struct server *server = connection->server;

	connection->gone = true;
	epoll_ctl(server->epoll, EPOLL_CTL_DEL, connection->watch.fd, NULL);
	releases_take(server->service->releases, connection->watch.fd, &connection->peer,
		      server->packet, length, fd);
}

static void connection_ready(struct watch *watch, uint32_t epoll_events)
{
	struct connection *connection = container_of(watch, struct connection, watch);
	struct server *server = connection->server;
	bool first = !connection->had_some;
	ssize_t n;
	int fd;

	if (connection->gone)
		return;
	if (connection->busy) {
		if (epoll_events & (EPOLLHUP | EPOLLERR))
			hang_up(connection);
		return;
	}
	n = descriptor_receive(watch->fd, server->packet, CONTROL_MAX_BYTES, MSG_DONTWAIT, &fd);
	if (n == -EAGAIN || n == -EINTR)
		return;
	connection->had_some = true;
	if (n > 0 && first && is_library(server->packet, (size_t)n))
		hand_over(connection, (size_t)n, fd);
	else if (connection->library)
		hang_up(connection);
	else if (n == -EMSGSIZE)
		answer_result(connection, EMSGSIZE, "the message is too long");
	else if (n == -EMFILE)
		answer_result(connection, EMFILE,
			      "more than one descriptor came, or there is no room");
	else if (n <= 0)
		hang_up(connection);
	else
		ask(connection, server->packet, (size_t)n, fd);
}

static bool has_room(const struct server *server, uid_t uid)
{
	unsigned all = 0, own = 0;

	for (const struct connection *c = server->connections; c; c = c->next) {
		all++;
		own += c->peer.uid == uid;
	}
	/* The last places are root's, so that nobody can lock the administrator out. */
	return !uid ? all < CONNECTIONS_MAX
		    : own < CONNECTIONS_PER_USER && all < CONNECTIONS_MAX - CONNECTIONS_PER_USER;
}

/* A library mostly has said so by the time it is accepted. */
static bool comes_from_library(int fd)
{
	uint64_t start;
	ssize_t n = recv(fd, &start, sizeof(start), MSG_PEEK | MSG_DONTWAIT);

	return n > 0 && is_library(&start, (size_t)n);
}

/* Without a descriptor to spare: whoever comes would be told again and again that they wait. */
static void turn_away(struct server *server)
{
	if (server->spare < 0) { /* not even that: listen again when a connection has ended */
		epoll_ctl(server->epoll, EPOLL_CTL_DEL, server->watch.fd, NULL);
		server->deaf = true;
		return;
	}
	close(server->spare);
	close(accept4(server->watch.fd, NULL, NULL, SOCK_CLOEXEC));
	server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	log_warning("a connection to the socket was refused: no descriptor to spare");
}

static void listener_ready(struct watch *watch, uint32_t epoll_events)
{
	struct server *server = container_of(watch, struct server, watch);
	struct connection *connection;
	struct epoll_event event = {.events = EPOLLIN};
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int fd;

	(void)epoll_events;
	fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(server);
		return;
	}
	connection = calloc(1, sizeof(*connection));
	if (!connection || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		goto refuse;
	connection->library = comes_from_library(fd);
	if (!connection->library && !has_room(server, peer.uid))
		goto refuse;
	connection->watch = (struct watch){.fd = fd, .ready = connection_ready};
	connection->server = server;
	connection->peer = peer;
	event.data.ptr = &connection->watch;
	if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event))
		goto refuse;
	connection->next = server->connections;
	server->connections = connection;
	return;
refuse:
	log_debug("a connection to the socket was refused: too many, or out of memory");
	free(connection);
	close(fd);
}

static void listen_again(struct server *server)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = server};

	if (server->spare < 0)
		server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (server->deaf && !epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->watch.fd, &event))
		server->deaf = false;
}

void server_sweep(struct server *server)
{
	struct connection **at = &server->connections, *connection;

	while ((connection = *at)) {
		if (!connection->gone || connection->busy) {
			at = &connection->next;
			continue;
		}
		*at = connection->next;
		free(connection->name);
		free(connection);
		listen_again(server);
	}
}

struct server *server_new(struct service *service, int epoll, int listener)
{
	struct server *server = calloc(1, sizeof(*server));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = server};

	if (!server)
		return NULL;
	server->watch = (struct watch){.fd = listener, .ready = listener_ready};
	server->service = service;
	server->epoll = epoll;
	server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server->packet = malloc(CONTROL_MAX_BYTES);
	if (!server->packet || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event)) {
		close(server->spare);
		free(server->packet);
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
		hang_up(c);
		c->busy = false;
	}
	server_sweep(server);
	close(server->spare);
	free(server->packet);
	free(server);
}
