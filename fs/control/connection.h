/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * connection.h - one peer of the socket: its packets in, its answers out
 *
 * A connection asks one question at a time: nothing is read from it while an answer is being made,
 * nor while its user has no time of the loop left. It is closed when an answer cannot be sent, or
 * when the peer takes nothing for a while of the documents that follow an answer, or has not taken
 * all of them after a long while. A connection
 * whose first packet is one of a library (wire.h) is handed over to change/release.c.
 */
#ifndef PMEM2FS_CONTROL_CONNECTION_H
#define PMEM2FS_CONTROL_CONNECTION_H

#include "base/fd_watch.h"
#include "control/document_stream.h"
#include "control/question.h"
#include "receive/receivers.h"
#include <stdbool.h>
#include <stdint.h>

struct releases;

/* What all connections of a server share; all of it outlives them. */
struct connection_means {
	const struct question_means *question;
	struct releases *releases; /* takes the connections of libraries */
	struct receivers *receivers;
	int first;    /* epoll set for connections of root and of the daemon's own user */
	int users;    /* epoll set for connections of all other users */
	int unheard;  /* epoll set, edge-triggered: connections before their first packet is read */
	char *packet; /* CONTROL_MAX_BYTES, for the packet that is being read */
	struct document_streams *streams;
};

struct connection {
	struct watch watch;      /* its descriptor is closed by connection_hang_up */
	int pidfd;               /* of the peer, owned; -1: it had ended; closed together with it */
	struct connection *next; /* of the server's; the server's alone */
	const struct connection_means *means;
	int epoll; /* that watches it */
	struct question question;
	struct receive receive; /* of a packet with descriptors; then nothing else is waited for */
	bool library;           /* by its first packet, when it came */
	bool had_some;          /* packets */
	bool busy;              /* an answer is being made */
	bool waits;             /* for its user to have time of the loop again */
	bool gone;              /* to be freed when not busy */
	uint64_t answered;      /* clock_now() when the last answer was sent */
	uint64_t took; /* clock_now() when the answer or a packet of documents was last sent */
};

/*
 * Begins to read from `fd`, which was accepted from the process `pidfd` (-1: it has ended). Owns
 * both unless that fails. NULL: out of memory.
 */
struct connection *connection_new(const struct connection_means *means, int fd, int pidfd,
				  const struct ucred *peer, bool library);

/*
 * Takes in the first packet now if it has come and is one of a library. Nothing else is read, and
 * nothing while a receiver has the packet.
 */
void connection_hear(struct connection *connection);

/* Closes it and gives up what its question waits for. A second call does nothing. */
void connection_hang_up(struct connection *connection);

/*
 * Closes the connection if its peer has taken no documents for too long, and serves it again when
 * its user has time. Returns when it is to be called again, UINT64_MAX for never.
 */
uint64_t connection_expire(struct connection *connection, uint64_t now);

/* Whether it has gone and nothing will use it again: then it may be freed. */
bool connection_is_over(const struct connection *connection);
void connection_free(struct connection *connection);

/* Whether the next packet is there and begins as the first packet of a library does. */
bool connection_has_library_packet(int fd);

#endif
