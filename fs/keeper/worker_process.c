/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_process.c - see worker_process.h
 *
 * The worker is started by exec, not by fork alone, so that it has none of the keeper's mappings.
 */
#include "keeper/worker_process.h"
#include "base/log.h"
#include "base/spawn.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PF_EXITING  4 /* of the kernel: among the flags in /proc/PID/stat */
#define END_SECONDS 2 /* for the worker to end; half of them by itself, then by force */

int worker_process_start(char **argv, char *option, const int fds[WORKER_FDS], pid_t *worker)
{
	char **arguments;
	size_t count = 0;
	int error;

	while (argv[count])
		count++;
	arguments = calloc(count + 2, sizeof(*arguments));
	if (!arguments)
		return -ENOMEM;
	memcpy(arguments, argv, count * sizeof(*arguments));
	arguments[count] = option;
	error = spawn_program(SPAWN_SELF, arguments, fds, WORKER_FDS, WORKER_FD_FIRST, worker);
	free(arguments);
	return error;
}

/*
 * True when the worker has died though waitpid does not give it: one of its threads is still inside
 * a foreign file system that does not answer, which not even SIGKILL ends. It may also be the first
 * thread, which has ended but for closing a descriptor that was in the queue of a socket.
 */
static bool is_dead(pid_t worker)
{
	char path[64], text[512], *state;
	unsigned flags;
	bool dead = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)worker);
	file = fopen(path, "re");
	if (!file)
		return true;
	if (fgets(text, sizeof(text), file) && (state = strrchr(text, ')')))
		dead = !strncmp(state, ") Z", 3) ||
		       (sscanf(state, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
			flags & PF_EXITING);
	fclose(file);
	return dead;
}

bool worker_process_ended(pid_t worker, int *status)
{
	bool ended = false;
	pid_t pid;
	int one;

	while ((pid = waitpid(-1, &one, WNOHANG)) > 0) {
		if (pid != worker)
			continue;
		*status = one;
		ended = true;
	}
	/* The other threads of a dead process mostly end a moment later. */
	for (int i = 0; !ended && is_dead(worker); i++) {
		if (waitpid(worker, status, WNOHANG) == worker) {
			ended = true;
		} else if (i == END_SECONDS * 100) {
			*status = SIGKILL; /* as waitpid would have it */
			ended = true;
		} else {
			poll(NULL, 0, 10);
		}
	}
	return ended;
}

void worker_process_end(pid_t worker)
{
	int status;

	for (int i = 0; i < END_SECONDS * 100; i++) {
		if (worker_process_ended(worker, &status))
			return;
		if (i == END_SECONDS * 50)
			kill(worker, SIGKILL);
		poll(NULL, 0, 10);
	}
	log_error("the worker cannot be ended: it is stuck in another file system");
}
