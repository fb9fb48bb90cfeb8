/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packet.h - what a test receives over a socket of packets
 */
#ifndef TESTS_PACKET_H
#define TESTS_PACKET_H

#include <jansson.h>

/* The next packet, which must be JSON, or NULL when there is none now. */
json_t *packet_next(int fd);

#endif
