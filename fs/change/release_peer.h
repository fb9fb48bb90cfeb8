/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * release_peer.h - the connections of the processes that can be asked to release mappings
 *
 * Owns the connections of libraries (wire.h). Hands tables over to the process table, and messages
 * to the handlers of its owner, who decides what is sent. Used by the request loop alone.
 *
 * A peer is the process that has made the connection, and no other that has inherited the socket or
 * got its pid later: its pidfd is polled before each message is sent and before each received
 * message is acted on (pidfd.h), and the kernel says which process has sent a message. A message of
 * another process ends the connection, and so does the end of the peer. The peer itself says which
 * table is its own, but the scanner finds the mappings of a table in the areas of a process, and
 * only that process is asked to release them.
 *
 * Before Linux 6.5 a connection can be taken for that of a process that has the same pid and has
 * begun between connect and accept (pidfd_open_peer). It then replaces that process's connection,
 * and cannot answer for it: the process cannot be asked, and what its mappings are stays as it is.
 */
#ifndef PMEM2FS_CHANGE_RELEASE_PEER_H
#define PMEM2FS_CHANGE_RELEASE_PEER_H

#include "base/fd_watch.h"
#include "base/share.h"
#include "format/wire.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h> /* struct ucred */

struct process;
struct process_table;
struct release;
struct release_peers;

LIST_HEAD(release_list, release);
LIST_HEAD(release_peer_list, release_peer);

/* The connection of a process, for one of its tables. */
struct release_peer {
	struct release_peers *peers;
	struct ucred who;
	uint64_t table;

	/* Of release.c: */
	struct release_list requests; /* that are under way here */
	unsigned request_count;
	bool silent; /* has let a request time out; false again when it answers anything */

	/* Of release_peer.c: */
	int epoll;
	struct watch watch; /* of the socket */
	struct watch end;   /* of the pidfd, which is readable when the process has ended */
	LIST_ENTRY(release_peer) others;
	unsigned allowance; /* messages that it may still send: two for each request */
	bool ended;         /* the connection is closed; freed by release_peers_sweep */
};

/* How many peers there may be: each of 96 users is sure of 16. */
extern const struct share release_peers_share;

/* Embedded in its owner. Set first, all borrowed; the rest is zero. */
struct release_peers {
	struct process_table *process_table;
	struct receivers *receivers; /* closes the connections */
	int first, users;            /* epoll sets: for connections of root, and of other users */
	/* A WIRE_READY or WIRE_DONE has come that the peer may send. */
	void (*received)(struct release_peer *peer, const struct wire_message *message);
	/* The connection is closed. The peer is no longer used after this call. */
	void (*ended)(struct release_peer *peer);

	struct release_peer_list list;
	bool some_ended;
};

/*
 * Takes over a connection of the process `pidfd`, whose first packet is `packet`, with the
 * descriptor that came along (-1: none). Closes the connection if `pidfd` is -1 or the process has
 * ended, or if the packet, which may have any size, is no message of wire.h. Takes ownership of the
 * three descriptors.
 */
void release_peers_accept(struct release_peers *peers, int socket, const struct ucred *who,
			  int pidfd, const void *packet, size_t size, int fd);

/* The connection of that process for that table; NULL: it cannot be asked. */
struct release_peer *release_peers_find(const struct release_peers *peers,
					const struct process *process, uint64_t table);

/*
 * Sends a message about a request, which for WIRE_ASK says what is asked for. False: there is no
 * room, since the peer is stopped or busy with something else; or its process has just ended. A
 * closed connection is noticed when it is read.
 */
bool release_peer_send(struct release_peer *peer, enum wire_type type, uint64_t request,
		       uint32_t slot, uint64_t generation);

/* Ends the connection. */
void release_peer_hang_up(struct release_peer *peer);

/* Frees the peers whose connections have ended: between two rounds of the loop. */
void release_peers_sweep(struct release_peers *peers);

/* Closes all connections and frees the peers, without calling `ended`. */
void release_peers_clear(struct release_peers *peers);

#endif
