/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * message.h - what the worker and a receiver process say to each other
 *
 * Over a SOCK_SEQPACKET pair. The worker sends one struct receive_command with a socket, or a file,
 * and sends the next one when the receiver is done:
 *
 *   worker              receiver
 *   RECEIVE_PACKET ---> takes one packet from the socket
 *                  <--- struct receive_result, the packet behind it, and its descriptor
 *                  <--- struct receive_result with `done`, when all other descriptors are closed
 *   RECEIVE_REST   ---> takes all packets from the socket, which is shut down, and closes all that
 *                  <--- is in them; then struct receive_result with `done`
 *   RECEIVE_FILE ----> keeps the file that came with the command
 *   RECEIVE_CLOSE ---> closes it, for the last time: the worker has closed its own descriptor
 *                  <--- struct receive_result with `done`
 *   RECEIVE_NOTHING -> keeps the socket open until it ends; the next command may follow at once
 */
#ifndef PMEM2FS_RECEIVE_MESSAGE_H
#define PMEM2FS_RECEIVE_MESSAGE_H

#include "host/opener.h"
#include "protocol/control.h"
#include "protocol/receiver_fds.h"
#include <stdbool.h>
#include <stdint.h>

enum receive_kind {
	RECEIVE_PACKET,
	RECEIVE_REST,
	RECEIVE_FILE,
	RECEIVE_CLOSE,
	RECEIVE_NOTHING,
	RECEIVE_KINDS
};

struct receive_command {
	uint32_t kind; /* enum receive_kind */
	int32_t peer;  /* RECEIVE_PACKET: the process at the other end, for opener_check */
};

struct receive_result {
	bool done;    /* nothing else is in this message */
	int32_t size; /* of the packet, 0: end of the connection, negative errno: descriptor.h */
	/*
	 * Why the descriptor that came with the packet is not passed on: a negative errno and a
	 * reason that begins with "is", and the name of what is behind it. 0: it is passed on, or
	 * none came.
	 */
	int32_t refused;
	char why[OPENER_WHY_LENGTH];
	char described[1024];
};

/* The longest message: a result and a packet. */
struct receive_message {
	struct receive_result result;
	char packet[CONTROL_MAX_BYTES];
};

#endif
