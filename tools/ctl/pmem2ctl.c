// SPDX-License-Identifier: BSD-3-Clause
/*
 * pmem2ctl.c - the command for people and scripts: its command line
 *
 * Owns main and the list of commands. Calls the commands (command_*.c), command.c and output.c.
 */
#include "ctl/command.h"
#include "ctl/command_table.h"
#include "ctl/output.h"
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static const struct command *const commands[] = {
	&command_map,    &command_unmap,   &command_list, &command_show,
	&command_events, &command_holders, NULL,
};

static int run_help(struct invocation *invocation, int argc, char **argv)
{
	const struct command *command = NULL;
	int status = command_parse(invocation, argc, argv);

	if (status >= 0)
		return status;
	if (argc - optind > 1)
		return command_usage(invocation, "too many arguments");
	if (optind < argc) {
		command = command_find(invocation, argv[optind]);
		if (!command)
			return command_usage(invocation, "'%s' is not a command", argv[optind]);
	}
	return command_help(invocation, command);
}

static int run_command(int argc, char **argv)
{
	static const struct option options[] = {COMMAND_LONG_OPTIONS};
	static char program[] = "pmem2ctl"; /* for the messages of getopt_long */
	struct invocation invocation = {.commands = commands};
	int option;
	bool help;

	if (argc > 0)
		argv[0] = program;
	while ((option = command_getopt(argc, argv, "+" COMMAND_SHORT_OPTIONS, options)) != -1) {
		int status = command_option(&invocation, option);
		if (status >= 0)
			return status;
	}
	argc -= optind;
	argv += optind;
	if (argc <= 0)
		return command_usage(&invocation, "which command?");
	help = !strcmp(argv[0], "help");
	invocation.command = command_find(&invocation, argv[0]);
	if (!help && !invocation.command)
		return command_usage(&invocation, "'%s' is not a command", argv[0]);
	argv[0] = program;
	optind = 0; /* a new list, from its beginning */
	return help ? run_help(&invocation, argc, argv)
		    : invocation.command->run(&invocation, argc, argv);
}

/*
 * A standard descriptor that is closed would be given to the socket, and output would go there.
 * In its place goes one on which the expected direction fails as it does on a closed one.
 */
static void occupy_standard_descriptors(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(STATUS_FAILURE);
}

int main(int argc, char **argv)
{
	int status;

	occupy_standard_descriptors();
	signal(SIGPIPE, SIG_DFL); /* the end of the reader of stdout ends pmem2ctl silently */
	setlocale(LC_CTYPE, "");

	status = run_command(argc, argv);
	if (output_flush() && status == STATUS_OK)
		status = STATUS_FAILURE;
	return status;
}
