/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command.h - what all commands of pmem2ctl have: a description, the common options, help
 */
#ifndef PMEM2FS_CTL_COMMAND_H
#define PMEM2FS_CTL_COMMAND_H

#include <getopt.h>
#include <stdint.h>

enum exit_status {
	STATUS_OK = 0,
	STATUS_FAILURE = 1,
	STATUS_USAGE = 2,
};

/* What the command line holds for all commands. */
struct invocation {
	const struct command *const *commands; /* all of them, NULL at the end; for --help */
	const struct command *command;         /* NULL until it is known */
	const char *socket;                    /* from --socket, or NULL */
};

struct command {
	const char *name;
	const char *operands;
	const char *summary; /* one line of `pmem2ctl --help` */
	const char *details; /* the rest of `pmem2ctl COMMAND --help` */
	/* Gets the arguments from the command's name on; returns the exit status. */
	int (*run)(struct invocation *invocation, int argc, char **argv);
};

/* The options that all commands have: for the end of the two lists that getopt_long takes. */
#define COMMAND_SHORT_OPTIONS "s:hV"
/* clang-format off */
#define COMMAND_LONG_OPTIONS                                                                       \
	{"socket", required_argument, NULL, 's'},                                                  \
	{"help", no_argument, NULL, 'h'},                                                          \
	{"version", no_argument, NULL, 'V'},                                                       \
	{NULL, 0, NULL, 0}
/* clang-format on */

/*
 * As getopt_long, but what it has to say is safe for a terminal: names of mappings may look like
 * options.
 */
int command_getopt(int argc, char **argv, const char *short_options,
		   const struct option *long_options);

/* Carries out one of these options. Returns the exit status to end with, or -1 to go on. */
int command_option(struct invocation *invocation, int option);

/*
 * Parses the options of a command that has no others; optind is the first operand then. Returns as
 * command_option.
 */
int command_parse(struct invocation *invocation, int argc, char **argv);

/* Parses optarg, an amount of bytes that is called `what`. Returns as command_option. */
int command_size_option(const struct invocation *invocation, const char *what, int64_t *size);

/* Reports what is wrong with the command line and where to find help; returns STATUS_USAGE. */
int command_usage(const struct invocation *invocation, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Prints the help of a command, or without one that of pmem2ctl. Returns the exit status. */
int command_help(const struct invocation *invocation, const struct command *command);

/* The command of that name, or NULL. */
const struct command *command_find(const struct invocation *invocation, const char *name);

#endif
