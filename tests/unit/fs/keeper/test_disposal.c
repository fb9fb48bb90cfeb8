/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_disposal.c - a process closes a file for the keeper, also where nothing can be passed on
 */
#include "base/descriptor.h"
#include "keeper/disposal.h"
#include "protocol/receiver_fds.h"
#include "receive/receiver.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* As without root, while the user has too many descriptors in the queues of sockets. */
int __wrap_descriptor_send(int socket, const void *packet, size_t size, int flags, int fd);

int __wrap_descriptor_send(int socket, const void *packet, size_t size, int flags, int fd)
{
	(void)socket;
	(void)packet;
	(void)size;
	(void)flags;
	return fd >= 0 ? -ETOOMANYREFS : 0;
}

static void a_process_closes_it(void **state)
{
	int ends[2], status;
	char byte;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	disposal_of(ends[1]);
	assert_int_equal(fcntl(ends[1], F_GETFD), -1);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	assert_true(wait(&status) > 0);
	assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_closes_it),
	};

	if (argc > 1 && !strcmp(argv[1], "--receiver"))
		return receiver_run(argv[2]);
	/* The process gets these numbers, which no descriptor of the test may have. */
	for (int fd = RECEIVER_FD; fd < RECEIVER_FD_END; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			dup2(STDERR_FILENO, fd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
