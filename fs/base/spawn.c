/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spawn.c - see spawn.h
 */
#include "base/spawn.h"
#include <signal.h>
#include <spawn.h>

extern char **environ;

int spawn_program(const char *program, char *const argv[], const int fds[], size_t count, int first,
		  pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int error;

	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_init(&actions);
	for (size_t i = 0; i < count; i++)
		posix_spawn_file_actions_adddup2(&actions, fds[i], first + (int)i);
	error = posix_spawn(pid, program, &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return -error;
}
