/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packet.c - see packet.h
 */
#include "packet.h"
#include "../../send_packet.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

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

void packet_send(int fd, const void *bytes, size_t length, int passed, unsigned count)
{
	int fds[SEND_PACKET_FDS_MAX];

	for (unsigned i = 0; i < count; i++)
		fds[i] = passed;
	assert_int_equal(send_packet(fd, bytes, length, fds, count), length);
}

int packet_lingerer(int *peer)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = 10000};
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	static char bytes[65536];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ioctl(listener, SIOCSIFFLAGS, &loopback);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, size), 0);
	*peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	return fd;
}
