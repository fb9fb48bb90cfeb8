/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * disposal.c - see disposal.h
 *
 * The process is a receiver that inherits the file, and closes it when the other end of its socket
 * has been closed. It is reaped with the worker (worker_process_ended).
 */
#include "keeper/disposal.h"
#include "base/log.h"
#include "base/spawn.h"
#include "protocol/receiver_fds.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

void disposal_of(int file)
{
	char *const arguments[] = {"pmem2fs", "--receiver", RECEIVER_FILE, NULL};
	int pair[2], error;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		error = -errno;
	} else {
		const int fds[RECEIVER_FDS] = {pair[1], file};

		error = spawn_program(SPAWN_SELF, arguments, fds, RECEIVER_FDS, RECEIVER_FD, &pid);
		if (!error)
			close(file); /* the process has it until its socket ends */
		close(pair[0]);
		close(pair[1]);
	}
	if (error)
		log_error("a file that was unmapped cannot be closed: it stays open");
}
