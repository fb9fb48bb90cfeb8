/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pidfd.c - which process it is
 */
#include "base/pidfd.h"
#include "former_process.h"
#include <errno.h>

static void is_alive_until_it_ends(void **state)
{
	pid_t child = child_begin(0);
	int pidfd = pidfd_open_pid(child);
	siginfo_t info;

	(void)state;
	assert_true(pidfd_is_alive(pidfd));
	assert_false(pidfd_is_alive(-1));
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_false(pidfd_is_alive(pidfd)); /* nobody has waited for it */
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_false(pidfd_is_alive(pidfd));
	assert_int_equal(pidfd_open_pid(child), -ESRCH);
	if (child_begin(child) != child)
		skip();
	assert_false(pidfd_is_alive(pidfd));
	child_end(child);
	close(pidfd);
}

static int make_pair(void *arg)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	hand_descriptor(*(int *)arg, pair[1]);
	close(pair[1]);
	return pair[0];
}

static bool tells_pidfd(int socket)
{
	int fd = -1;
	socklen_t size = sizeof(fd);

	if (getsockopt(socket, SOL_SOCKET, 77 /* SO_PEERPIDFD */, &fd, &size))
		return errno != ENOPROTOOPT;
	close(fd);
	return true;
}

static void a_peer_that_has_ended_is_not_alive(void **state)
{
	int way[2], near, far, before, after;
	pid_t child;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, way), 0);
	child = child_with_socket(make_pair, &way[1], &near);
	far = receive_descriptor(way[0]);
	before = pidfd_open_peer(far, child);
	assert_true(pidfd_is_alive(before));
	child_end(child);
	assert_false(pidfd_is_alive(before));
	after = pidfd_open_peer(far, child);
	assert_false(pidfd_is_alive(after));
	if (after >= 0)
		close(after);
	if (tells_pidfd(far) && child_begin(child) == child) {
		after = pidfd_open_peer(far, child);
		assert_false(pidfd_is_alive(after));
		if (after >= 0)
			close(after);
		child_end(child);
	}
	close(before);
	close(near);
	close(far);
	close(way[0]);
	close(way[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_alive_until_it_ends),
		cmocka_unit_test(a_peer_that_has_ended_is_not_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
