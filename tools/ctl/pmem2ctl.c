// SPDX-License-Identifier: BSD-3-Clause
/*
 * pmem2ctl.c - the command for people and scripts: its command line
 *
 * Owns main, the options that all commands share and the texts of --help. Calls the commands
 * (command_*.c) and report.c.
 */
#include "ctl/pmem2ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command *const commands[] = {
	&command_map,  &command_unmap,  &command_list,
	&command_show, &command_events, &command_holders,
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const char common_help[] = "  -s, --socket PATH       ask the daemon that listens there\n"
				  "  -h, --help              print this help\n"
				  "  -V, --version           print the version\n";

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int print_help(const struct command *command)
{
	char *text = NULL;
	size_t length;
	FILE *stream = needed(open_memstream(&text, &length));

	if (command) {
		fprintf(stream, "Usage: pmem2ctl %s [OPTION]...%s%s\n\n%s\n", command->name,
			*command->operands ? " " : "", command->operands, command->details);
	} else {
		fputs("Usage: pmem2ctl [OPTION]... COMMAND [ARGUMENT]...\n\n"
		      "Make, list and remove the persistent-memory mappings that pmem2fs shows.\n\n"
		      "Commands:\n",
		      stream);
		for (size_t i = 0; i < COMMAND_COUNT; i++)
			fprintf(stream, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
		fputs("  help     print this help, or that of a command\n\nOptions:\n", stream);
	}
	fputs(common_help, stream);
	if (!command)
		fputs("\n'pmem2ctl COMMAND --help' tells more of a command.\n", stream);
	if (fclose(stream))
		needed(NULL);

	int status = output(text, length) ? STATUS_FAILURE : STATUS_OK;
	free(text);
	return status;
}

int wrong_usage(const struct invocation *invocation, const char *format, ...)
{
	const struct command *command = invocation->command;
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		needed(NULL);
	va_end(arguments);
	report(NULL, "%s", text);
	free(text);
	fprintf(stderr, "Try 'pmem2ctl %s%s--help'.\n", command ? command->name : "",
		command ? " " : "");
	return STATUS_USAGE;
}

int common_option(struct invocation *invocation, int option)
{
	const struct command *command = invocation->command;

	switch (option) {
	case 's':
		invocation->socket = optarg;
		return -1;
	case 'h':
		return print_help(command);
	case 'V':
		return output_text("pmem2ctl " PMEM2FS_VERSION "\n") ? STATUS_FAILURE : STATUS_OK;
	default: /* getopt_long has said what is wrong */
		fprintf(stderr, "Try 'pmem2ctl %s%s--help'.\n", command ? command->name : "",
			command ? " " : "");
		return STATUS_USAGE;
	}
}

int size_option(const struct invocation *invocation, const char *what, int64_t *size)
{
	int error = size_parse(optarg, size);

	if (error == -ERANGE)
		return wrong_usage(invocation, "%s '%s' is too large", what, optarg);
	if (error)
		return wrong_usage(invocation, "%s '%s' is not a number of bytes", what, optarg);
	return -1;
}

static int run_help(struct invocation *invocation, int argc, char **argv)
{
	static const struct option options[] = {COMMON_LONG_OPTIONS};
	const struct command *command = NULL;
	int option;

	while ((option = getopt_long(argc, argv, COMMON_SHORT_OPTIONS, options, NULL)) != -1) {
		int status = common_option(invocation, option);
		if (status >= 0)
			return status;
	}
	if (argc - optind > 1)
		return wrong_usage(invocation, "too many arguments");
	if (optind < argc) {
		command = find_command(argv[optind]);
		if (!command)
			return wrong_usage(invocation, "'%s' is not a command", argv[optind]);
	}
	return print_help(command);
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {COMMON_LONG_OPTIONS};
	static char program[] = "pmem2ctl"; /* for the messages of getopt_long */
	struct invocation invocation = {0};
	int option;

	if (argc > 0)
		argv[0] = program;
	while ((option = getopt_long(argc, argv, "+" COMMON_SHORT_OPTIONS, options, NULL)) != -1) {
		int status = common_option(&invocation, option);
		if (status >= 0)
			return status;
	}
	argc -= optind;
	argv += optind;
	if (argc <= 0)
		return wrong_usage(&invocation, "which command?");
	bool help = strcmp(argv[0], "help") == 0;
	invocation.command = find_command(argv[0]);
	if (!help && !invocation.command)
		return wrong_usage(&invocation, "'%s' is not a command", argv[0]);
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
	occupy_standard_descriptors();
	signal(SIGPIPE, SIG_DFL); /* a reader that has had enough ends us without a word */
	setlocale(LC_CTYPE, "");

	int status = run(argc, argv);
	if (output_flush() && status == STATUS_OK)
		status = STATUS_FAILURE;
	return status;
}
