/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packets.h - takes packets from users' sockets, but no descriptor that may hang
 *
 * Owns no data. Used by the request loop alone.
 */
#ifndef PMEM2FS_RECEIVE_PACKETS_H
#define PMEM2FS_RECEIVE_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* To be called for each socket first. Returns 0 or a negative errno. */
int packets_prepare(int socket);

struct packet_head {
	pid_t sender; /* 0: it is not in our pid namespace, or the packet is older than
			 packets_prepare */
	bool carries; /* a descriptor */
};

/*
 * Takes the next packet of a socket, if no descriptor is with it. Returns its length or a negative
 * errno: -EPIPE at the end of the connection, -EMSGSIZE (it was longer and is gone), those of recv.
 * If head->carries becomes true, nothing was taken: receivers_take (receivers.h) does it.
 */
ssize_t packets_take_plain(int socket, void *packet, size_t size, struct packet_head *head);

/*
 * Takes the next packet with its descriptor (-1: none), which is as harmless as its sender. Returns
 * what descriptor_receive does.
 */
ssize_t packets_take_trusted(int socket, void *packet, size_t size, int *fd);

/*
 * Takes the packets without descriptors from a socket that is shut down. False: others may be left,
 * so that the socket may not be closed here.
 */
bool packets_empty(int socket);

#endif
