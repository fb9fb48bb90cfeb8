/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packet.c - see packet.h
 */
#include "packet.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

json_t *packet_next(int fd)
{
	char text[8192];
	ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	json_t *packet;

	if (n < 0) {
		assert_int_equal(errno, EAGAIN);
		return NULL;
	}
	packet = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(packet);
	return packet;
}
