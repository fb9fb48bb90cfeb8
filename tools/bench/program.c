// SPDX-License-Identifier: BSD-3-Clause
/*
 * program.c - other programs, run as people run them
 *
 * Each is a child of this process, which waits for its end. Calls interrupt.c and message.c.
 */
#include "bench/program.h"
#include "bench/interrupt.h"
#include "bench/message.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_MISSING 127 /* no such program */

/* Output that has no descriptor (-1) goes nowhere. */
static _Noreturn void become(const char *const *arguments, int output, int said)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, STDIN_FILENO);
	dup2(output < 0 ? null : output, STDOUT_FILENO);
	dup2(said < 0 ? null : said, STDERR_FILENO);
	execvp(arguments[0], (char *const *)arguments);
	_exit(STATUS_MISSING);
}

/* The exit status of a process, or a negative errno. */
static int wait_for_status(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

/* The exit status of a program, or a negative errno. */
static int run(const char *const *arguments, char said[PROGRAM_SAID_MAX])
{
	size_t length = 0;
	ssize_t got = 1;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid == 0)
		become(arguments, -1, ends[1]);
	close(ends[1]);
	while (pid > 0 && got > 0 && length < PROGRAM_SAID_MAX - 1) {
		got = read(ends[0], said + length, PROGRAM_SAID_MAX - 1 - length);
		length += got > 0 ? (size_t)got : 0;
	}
	said[length] = '\0';
	close(ends[0]);
	return wait_for_status(pid);
}

static int check(const char *const *arguments, int status, int expected, const char *said)
{
	if (interrupt_pending)
		return -EINTR;
	if (status == expected)
		return 0;
	message_error("%s: status %d, not %d: %s", arguments[0], status, expected, said);
	return -EIO;
}

int program_run(const char *const *arguments, int expected, char said[PROGRAM_SAID_MAX])
{
	return check(arguments, run(arguments, said), expected, said);
}

int program_count_lines(const char *const *arguments, int expected, const char *prefix,
			size_t *count)
{
	char *line = NULL;
	size_t room = 0;
	FILE *output;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	output = fdopen(ends[0], "r");
	if (!output) {
		close(ends[0]);
		close(ends[1]);
		return -ENOMEM;
	}
	pid = fork();
	if (pid == 0)
		become(arguments, ends[1], -1);
	close(ends[1]);
	*count = 0;
	while (getline(&line, &room, output) > 0)
		*count += !strncmp(line, prefix, strlen(prefix));
	free(line);
	fclose(output);
	return check(arguments, wait_for_status(pid), expected, "");
}

bool program_is_missing(const char *name)
{
	const char *arguments[] = {name, "-v", NULL};
	char said[PROGRAM_SAID_MAX];

	return run(arguments, said) == STATUS_MISSING;
}
