// SPDX-License-Identifier: BSD-3-Clause
/*
 * side_process.c - a process for each side of a comparison
 *
 * 50,000 mappings of each of three sides are more than one process may have. So each side has a
 * process, which waits for an order, carries it out and answers; as only one has an order at any
 * time, they do not disturb each other. A side that dies is noticed by the end of its socket.
 * Calls message.c and interrupt.c.
 */
#include "bench/side_process.h"
#include "bench/interrupt.h"
#include "bench/message.h"
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void serve_orders(int socket, side_process_serve *serve, void *context)
{
	unsigned order;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, SIG_DFL);
	while (recv(socket, &order, sizeof(order), 0) == sizeof(order)) {
		struct side_answer answer = {0};

		answer.err = serve(context, order, &answer);
		if (send(socket, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
			break;
	}
	_exit(0);
}

int side_process_start(struct side_process *side, side_process_serve *serve, void *context)
{
	int ends[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) {
		err = -errno;
		message_error("socketpair: %m");
		return err;
	}
	side->pid = fork();
	if (side->pid == 0) {
		close(ends[0]);
		serve_orders(ends[1], serve, context);
	}
	err = side->pid < 0 ? -errno : 0;
	close(ends[1]);
	side->socket = ends[0];
	if (err) {
		side->pid = 0;
		message_error("fork: %s", strerror(-err));
		close(side->socket);
	}
	return err;
}

int side_process_ask(const struct side_process *side, unsigned order, struct side_answer *answer)
{
	ssize_t got = -1;

	if (send(side->socket, &order, sizeof(order), MSG_NOSIGNAL) == sizeof(order))
		got = recv(side->socket, answer, sizeof(*answer), 0);
	if (got == sizeof(*answer))
		return answer->err;
	if (interrupt_pending)
		return -EINTR;
	message_error("a side that was measured has died");
	return -EPIPE;
}

void side_process_stop(struct side_process *side)
{
	if (!side->pid)
		return;
	close(side->socket);
	kill(side->pid, SIGKILL);
	while (waitpid(side->pid, NULL, 0) < 0 && errno == EINTR)
		;
	side->pid = 0;
}
