// SPDX-License-Identifier: BSD-3-Clause
/*
 * command_unmap.c - pmem2ctl unmap
 *
 * Unlike rm, it waits as long as --timeout says for a program to release its mapping. Calls
 * command.c, connection.c, exchange.c, name.c, json.c and memory.c.
 */

#include "ctl/command.h"
#include "ctl/command_table.h"
#include "ctl/connection.h"
#include "ctl/exchange.h"
#include "ctl/json.h"
#include "ctl/memory.h"
#include "ctl/name.h"
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* Returns seconds, or -1. */
static int read_timeout(const char *text)
{
	char *end;
	long seconds;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	seconds = strtol(text, &end, 10);
	return *end || errno || seconds > INT_MAX ? -1 : (int)seconds;
}

struct unmap_options {
	int timeout;            /* seconds, -1: the daemon's default */
	bool range;             /* only a part */
	int64_t offset, length; /* of it, in bytes; length -1: all the rest */
};

static void unmap(struct exchange *exchange, const char *name, const struct unmap_options *options)
{
	json_t *request = memory_require(json_object());

	name_put(request, options->range ? "unmap_range" : "unmap", name);
	if (options->range) {
		json_put(request, "offset", json_integer(options->offset));
		json_put(request, "length",
			 options->length < 0 ? json_null() : json_integer(options->length));
	}
	if (options->timeout >= 0)
		json_put(request, "timeout", json_integer(options->timeout));
	exchange_ask(exchange, name, request, -1);
}

/* Returns -1, or the exit status to end with. */
static int read_option(struct invocation *invocation, int option, struct unmap_options *options)
{
	switch (option) {
	case 'o':
		options->range = true;
		return command_size_option(invocation, "offset", &options->offset);
	case 'l':
		options->range = true;
		return command_size_option(invocation, "length", &options->length);
	case 't':
		options->timeout = read_timeout(optarg);
		if (options->timeout >= 0)
			return -1;
		return command_usage(invocation, "timeout '%s' is not a number of seconds", optarg);
	default:
		return command_option(invocation, option);
	}
}

static int run_unmap(struct invocation *invocation, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"offset", required_argument, NULL, 'o'},
		{"length", required_argument, NULL, 'l'},
		{"timeout", required_argument, NULL, 't'},
		COMMAND_LONG_OPTIONS,
	};
	static const char short_options[] = "o:l:t:" COMMAND_SHORT_OPTIONS;
	struct unmap_options options = {.timeout = -1, .length = -1};
	struct exchange exchange = {0};
	int option, status;
	int connection;

	while ((option = command_getopt(argc, argv, short_options, long_options)) != -1) {
		status = read_option(invocation, option, &options);
		if (status >= 0)
			return status;
	}
	if (optind == argc)
		return command_usage(invocation, "which NAME?");

	connection = connection_open(invocation->socket);
	if (connection < 0)
		return STATUS_FAILURE;
	exchange.connection = connection;
	for (int i = optind; i < argc; i++) {
		if (!name_problem(argv[i])) {
			unmap(&exchange, argv[i], &options);
			continue;
		}
		exchange_finish(&exchange);
		name_check(argv[i]);
		exchange.failed = true;
	}
	exchange_finish(&exchange);
	close(connection);
	return exchange.failed ? STATUS_FAILURE : STATUS_OK;
}

const struct command command_unmap = {
	.name = "unmap",
	.operands = "NAME...",
	.summary = "remove mappings, or parts of them",
	.details =
		"Unmap each NAME and release its object. A failure does not stop the others.\n"
		"With an offset or a length, unmap only the pages with any of these bytes, and "
		"keep\n"
		"the mapping, even when nothing is left of it.\n\n"
		"  -o, --offset BYTES      where in the mapping the part begins (default 0)\n"
		"  -l, --length BYTES      how long it is (default: all the rest)\n"
		"  -t, --timeout SECONDS   how long to wait for the program that holds the mapping",
	.run = run_unmap,
};
