// SPDX-License-Identifier: BSD-3-Clause
/*
 * command_unmap.c - pmem2ctl unmap
 *
 * Unlike rm, it waits as long as it is told for a program that is to let go of its mapping.
 */
#include "pmem2ctl.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* Returns seconds, or -1. */
static int read_timeout(const char *text)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	long seconds = strtol(text, &end, 10);
	return *end || errno || seconds > INT_MAX ? -1 : (int)seconds;
}

/* `timeout` is -1 for the daemon's default. */
static enum answer unmap(int connection, const char *name, int timeout)
{
	json_t *question = needed(json_object());

	name_put(question, "unmap", name);
	if (timeout >= 0 && json_object_set_new(question, "timeout", json_integer(timeout)))
		needed(NULL);
	return connection_ask(connection, name, question, -1, NULL);
}

static int run(struct invocation *invocation, int argc, char **argv)
{
	static const struct option options[] = {
		{"timeout", required_argument, NULL, 't'},
		COMMON_LONG_OPTIONS,
	};
	int option, timeout = -1, status = STATUS_OK;

	while ((option = getopt_long(argc, argv, "t:" COMMON_SHORT_OPTIONS, options, NULL)) != -1) {
		if (option != 't') {
			status = common_option(invocation, option);
			if (status >= 0)
				return status;
			continue;
		}
		timeout = read_timeout(optarg);
		if (timeout < 0)
			return wrong_usage(invocation, "timeout '%s' is not a number of seconds",
					   optarg);
	}
	if (optind == argc)
		return wrong_usage(invocation, "which NAME?");

	int connection = connection_open(invocation->socket);
	if (connection < 0)
		return STATUS_FAILURE;
	status = STATUS_OK;
	for (int i = optind; i < argc; i++) {
		enum answer answer = ANSWER_REFUSED;

		if (name_check(argv[i]))
			answer = unmap(connection, argv[i], timeout);
		if (answer != ANSWER_SUCCESS)
			status = STATUS_FAILURE;
		if (answer == ANSWER_LOST) {
			for (i++; i < argc; i++)
				report(argv[i], "not tried");
		}
	}
	close(connection);
	return status;
}

const struct command command_unmap = {
	.name = "unmap",
	.operands = "NAME...",
	.summary = "remove mappings",
	.details =
		"Unmap each NAME and release its object. A failure does not stop the others.\n\n"
		"  -t, --timeout SECONDS   how long to wait for the program that holds the mapping",
	.run = run,
};
