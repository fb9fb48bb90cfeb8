/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * former_process.h - processes that end, and others that get their pids
 */
#ifndef PMEM2FS_TEST_FORMER_PROCESS_H
#define PMEM2FS_TEST_FORMER_PROCESS_H

#include "base/descriptor.h"
#include <linux/sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * A child with that pid (0: any), which has no descriptors and waits to be ended. Returns its pid;
 * -1: not permitted.
 */
static inline pid_t child_begin(pid_t pid)
{
	struct clone_args arguments = {.exit_signal = SIGCHLD};
	int ends[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe(ends), 0);
	if (pid) {
		arguments.set_tid = (uintptr_t)&pid;
		arguments.set_tid_size = 1;
	}
	child = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (child) {
		close(ends[1]);
		assert_int_equal(read(ends[0], &byte, 1), 0);
		close(ends[0]);
		return child;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	syscall(SYS_close_range, 0, ~0u, 0);
	for (;;)
		pause();
}

/* Ends a child and waits for it, so that its pid is free. */
static inline void child_end(pid_t child)
{
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Sends a descriptor from a child, which ends if that fails. */
static inline void hand_descriptor(int socket, int fd)
{
	if (descriptor_send(socket, "", 1, 0, fd))
		_exit(1);
}

static inline int receive_descriptor(int socket)
{
	char byte;
	int fd;

	assert_int_equal(descriptor_receive(socket, &byte, 1, 0, &fd), 1);
	assert_true(fd >= 0);
	return fd;
}

/*
 * Begins a child that makes a socket with `make`, sends it to this process, and waits to be ended.
 * So this process has a socket of another one, as if it had inherited it. Returns the child's pid.
 */
static inline pid_t child_with_socket(int (*make)(void *arg), void *arg, int *socket)
{
	int ends[2], fd;
	pid_t child;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd = make(arg);
		hand_descriptor(ends[1], fd);
		close(fd);
		for (;;)
			pause();
	}
	*socket = receive_descriptor(ends[0]);
	close(ends[0]);
	close(ends[1]);
	return child;
}

#endif
