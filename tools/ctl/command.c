// SPDX-License-Identifier: BSD-3-Clause
/*
 * command.c - what all commands of pmem2ctl have: the common options, help
 *
 * Owns the options that all commands share and the frame of --help. Calls output.c, report.c,
 * size.c and memory.c.
 */
#include "ctl/command.h"
#include "ctl/memory.h"
#include "ctl/output.h"
#include "ctl/report.h"
#include "ctl/size.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char common_help[] = "  -s, --socket PATH       ask the daemon that listens there\n"
				  "  -h, --help              print this help\n"
				  "  -V, --version           print the version\n";

const struct command *command_find(const struct invocation *invocation, const char *name)
{
	for (const struct command *const *command = invocation->commands; *command; command++)
		if (!strcmp((*command)->name, name))
			return *command;
	return NULL;
}

int command_help(const struct invocation *invocation, const struct command *command)
{
	char *text = NULL;
	size_t length;
	FILE *stream = memory_require(open_memstream(&text, &length));
	int status;

	if (command) {
		fprintf(stream, "Usage: pmem2ctl %s [OPTION]...%s%s\n\n%s\n", command->name,
			*command->operands ? " " : "", command->operands, command->details);
	} else {
		fputs("Usage: pmem2ctl [OPTION]... COMMAND [ARGUMENT]...\n\n"
		      "Make, list and remove the persistent-memory mappings that pmem2fs shows.\n\n"
		      "Commands:\n",
		      stream);
		for (const struct command *const *each = invocation->commands; *each; each++)
			fprintf(stream, "  %-8s %s\n", (*each)->name, (*each)->summary);
		fputs("  help     print this help, or that of a command\n\nOptions:\n", stream);
	}
	fputs(common_help, stream);
	if (!command)
		fputs("\n'pmem2ctl COMMAND --help' tells more of a command.\n", stream);
	if (fclose(stream))
		memory_exhausted();

	status = output_bytes(text, length) ? STATUS_FAILURE : STATUS_OK;
	free(text);
	return status;
}

static int point_to_help(const struct invocation *invocation)
{
	const struct command *command = invocation->command;

	fprintf(stderr, "Try 'pmem2ctl %s%s--help'.\n", command ? command->name : "",
		command ? " " : "");
	return STATUS_USAGE;
}

int command_usage(const struct invocation *invocation, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = memory_vformat(format, arguments);
	va_end(arguments);
	report(NULL, "%s", text);
	free(text);
	return point_to_help(invocation);
}

int command_getopt(int argc, char **argv, const char *short_options,
		   const struct option *long_options)
{
	static const char prefix[] = "pmem2ctl: "; /* argv[0] */
	FILE *terminal = stderr;
	char *text = NULL;
	size_t length;
	int option;

	stderr = memory_require(open_memstream(&text, &length));
	option = getopt_long(argc, argv, short_options, long_options, NULL);
	if (fclose(stderr))
		memory_exhausted();
	stderr = terminal;
	if (length > strlen(prefix)) {
		text[length - 1] = '\0'; /* a newline */
		report(NULL, "%s", text + strlen(prefix));
	}
	free(text);
	return option;
}

int command_option(struct invocation *invocation, int option)
{
	switch (option) {
	case 's':
		invocation->socket = optarg;
		return -1;
	case 'h':
		return command_help(invocation, invocation->command);
	case 'V':
		return output_text("pmem2ctl " PMEM2FS_VERSION "\n") ? STATUS_FAILURE : STATUS_OK;
	default: /* command_getopt has printed what is wrong */
		return point_to_help(invocation);
	}
}

int command_size_option(const struct invocation *invocation, const char *what, int64_t *size)
{
	int error = size_parse(optarg, size);

	if (error == -ERANGE)
		return command_usage(invocation, "%s '%s' is too large", what, optarg);
	if (error)
		return command_usage(invocation, "%s '%s' is not a number of bytes", what, optarg);
	return -1;
}

int command_parse(struct invocation *invocation, int argc, char **argv)
{
	static const struct option options[] = {COMMAND_LONG_OPTIONS};
	int option;

	while ((option = command_getopt(argc, argv, COMMAND_SHORT_OPTIONS, options)) != -1) {
		int status = command_option(invocation, option);
		if (status >= 0)
			return status;
	}
	return -1;
}
