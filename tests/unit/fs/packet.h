/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packet.h - what a test sends and receives over a socket of packets
 */
#ifndef TESTS_PACKET_H
#define TESTS_PACKET_H

#include <jansson.h>
#include <stddef.h>

/* The next packet, which must be JSON, or NULL when there is none now. */
json_t *packet_next(int fd);

/* Sends a packet with `count` copies of the descriptor `passed`. Fails the test on an error. */
void packet_send(int fd, const void *bytes, size_t length, int passed, unsigned count);

/*
 * A TCP socket whose closing waits until `peer` takes what was sent, or is closed. The loopback
 * device has to be up, which it is for root.
 */
int packet_lingerer(int *peer);

#endif
