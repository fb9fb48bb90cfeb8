// SPDX-License-Identifier: BSD-3-Clause
/*
 * command_map.c - pmem2ctl map
 *
 * Turns the options into a request document, opens the sources and sends these to the daemon. Calls
 * base/allocate.c, command.c, connection.c, exchange.c, source.c, name.c, json.c, output.c,
 * report.c, text.c and memory.c.
 */

#include "base/allocate.h"
#include "ctl/command.h"
#include "ctl/command_table.h"
#include "ctl/connection.h"
#include "ctl/exchange.h"
#include "ctl/json.h"
#include "ctl/memory.h"
#include "ctl/name.h"
#include "ctl/output.h"
#include "ctl/report.h"
#include "ctl/source.h"
#include "ctl/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	OPTION_ANONYMOUS = 256,
	OPTION_SHARING,
	OPTION_PROTECTION,
	OPTION_ALLOCATE,
	OPTION_MANY,
};

struct map_options {
	bool has_offset, has_length, anonymous, allocate, many;
	int64_t offset, length, size; /* bytes */
	const char *granularity, *sharing, *protection;
};

static bool is_one_of(const char *word, const char *first, const char *second, const char *third)
{
	return !strcmp(word, first) || !strcmp(word, second) || !strcmp(word, third);
}

static bool is_protection(const char *text)
{
	return strlen(text) == 3 && strchr("r-", text[0]) && strchr("w-", text[1]) &&
	       strchr("x-", text[2]);
}

static int read_option(struct invocation *invocation, int option, struct map_options *options)
{
	switch (option) {
	case 'o':
		options->has_offset = true;
		return command_size_option(invocation, "offset", &options->offset);
	case 'l':
		options->has_length = true;
		return command_size_option(invocation, "length", &options->length);
	case OPTION_ANONYMOUS:
		options->anonymous = true;
		return command_size_option(invocation, "size", &options->size);
	case 'g':
		options->granularity = optarg;
		if (is_one_of(optarg, "byte", "cache_line", "page"))
			return -1;
		return command_usage(invocation,
				     "granularity '%s' is none of byte, cache_line, page", optarg);
	case OPTION_SHARING:
		options->sharing = optarg;
		if (is_one_of(optarg, "shared", "private", "private"))
			return -1;
		return command_usage(invocation, "sharing '%s' is neither shared nor private",
				     optarg);
	case OPTION_PROTECTION:
		options->protection = optarg;
		if (is_protection(optarg))
			return -1;
		return command_usage(invocation, "protection '%s' is not like rw- or r--", optarg);
	case OPTION_ALLOCATE:
		options->allocate = true;
		return -1;
	case OPTION_MANY:
		options->many = true;
		return -1;
	default:
		return command_option(invocation, option);
	}
}

/* Holds only what the options give: the defaults are the daemon's. */
static json_t *make_request(const struct map_options *options)
{
	json_t *request = memory_require(json_object());
	json_t *source = memory_require(json_object());

	if (options->anonymous) {
		json_put(source, "type", json_string("anonymous"));
		json_put(source, "size", json_integer(options->size));
	}
	if (options->has_offset)
		json_put(source, "offset", json_integer(options->offset));
	json_put(request, "source", source);
	if (options->has_length)
		json_put(request, "length", json_integer(options->length));
	if (options->granularity)
		json_put(request, "required_granularity", json_string(options->granularity));
	if (options->sharing)
		json_put(request, "sharing", json_string(options->sharing));
	if (options->protection)
		json_put(request, "protection", json_string(options->protection));
	return request;
}

/* The last component of a path, for the caller to free. */
static char *last_component(const char *path)
{
	size_t end = strlen(path);
	size_t begin;

	while (end > 0 && path[end - 1] == '/')
		end--;
	begin = end;
	while (begin > 0 && path[begin - 1] != '/')
		begin--;
	return memory_require(strndup(path + begin, end - begin));
}

/* Allocates here and not in the daemon, so that the rights and quota of the user apply. */
static bool allocate(const char *path, int source, const struct map_options *options)
{
	int error = allocate_blocks(source, (uint64_t)options->offset, (uint64_t)options->length);

	if (error == -ENODEV)
		report(path, "is a device; only files can be allocated");
	else if (error)
		report(path, "cannot allocate: %s", strerror(-error));
	return !error;
}

/* Whether stores to the mapping reach the file. */
static bool writes(const struct map_options *options)
{
	return (!options->protection || options->protection[1] == 'w') &&
	       (!options->sharing || !strcmp(options->sharing, "shared"));
}

/* For a program as it is, since it may be used as an argument. */
static int print_name(const char *name)
{
	char *shown;
	int error;

	if (!isatty(STDOUT_FILENO))
		return output_line(name);
	shown = text_display(name, NULL);
	error = output_line(shown);
	free(shown);
	return error;
}

static bool print_mapped(const char *name)
{
	return !print_name(name);
}

/* Asks for a mapping; `source` is -1 for anonymous memory. */
static void ask_for(struct exchange *exchange, const struct map_options *options, const char *name,
		    int source)
{
	json_t *question = memory_require(json_object());

	json_put(question, "map", make_request(options));
	name_put(question, "name", name);
	exchange_ask(exchange, name, question, source);
}

/* Only when there is something to be asked. False: there is no daemon. */
static bool connect_once(struct exchange *exchange, const struct invocation *invocation)
{
	if (exchange->connection < 0)
		exchange->connection = connection_open(invocation->socket);
	exchange->lost |= exchange->connection < 0;
	return !exchange->lost;
}

static void map_anonymous(struct exchange *exchange, const struct invocation *invocation,
			  const struct map_options *options, const char *name)
{
	if (name_problem(name))
		exchange_finish(exchange); /* messages about earlier names come first */
	if (name_check(name) && connect_once(exchange, invocation))
		ask_for(exchange, options, name, -1);
	else
		exchange->failed = true;
}

/* `name` stays until the answer has come. */
static void map_source(struct exchange *exchange, const struct invocation *invocation,
		       const struct map_options *options, const char *path, const char *name)
{
	int source = source_open(path, writes(options));

	if (source >= 0 && name_check(name) && connect_once(exchange, invocation) &&
	    (!options->allocate || allocate(path, source, options)))
		ask_for(exchange, options, name, source);
	else
		exchange->failed = true;
	if (source >= 0)
		close(source);
}

/* Maps each source under its last component, or all memory under the names that are given. */
static void map_each(struct exchange *exchange, const struct invocation *invocation,
		     const struct map_options *options, int count, char **operands)
{
	char **names = memory_require(calloc((size_t)count, sizeof(*names)));

	for (int i = 0; i < count; i++) {
		names[i] = last_component(operands[i]);
		if (exchange->lost)
			report(operands[i], "not tried");
		else if (options->anonymous)
			map_anonymous(exchange, invocation, options, operands[i]);
		else
			map_source(exchange, invocation, options, operands[i], names[i]);
	}
	exchange_finish(exchange);
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

static int run_map(struct invocation *invocation, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"anonymous", required_argument, NULL, OPTION_ANONYMOUS},
		{"offset", required_argument, NULL, 'o'},
		{"length", required_argument, NULL, 'l'},
		{"granularity", required_argument, NULL, 'g'},
		{"sharing", required_argument, NULL, OPTION_SHARING},
		{"protection", required_argument, NULL, OPTION_PROTECTION},
		{"allocate", no_argument, NULL, OPTION_ALLOCATE},
		{"many", no_argument, NULL, OPTION_MANY},
		COMMAND_LONG_OPTIONS,
	};
	struct map_options options = {0};
	struct exchange exchange = {.connection = -1};
	bool named;
	int option;

	while ((option = command_getopt(argc, argv, "o:l:g:" COMMAND_SHORT_OPTIONS,
					long_options)) != -1) {
		int status = read_option(invocation, option, &options);
		if (status >= 0)
			return status;
	}
	argc -= optind;
	argv += optind;

	if (options.allocate && (options.anonymous || !writes(&options)))
		return command_usage(invocation,
				     "--allocate is for files that are mapped shared and writable");
	if (options.anonymous && (options.has_offset || options.has_length))
		return command_usage(invocation, "anonymous memory has neither offset nor length");
	if (!argc)
		return command_usage(invocation,
				     options.anonymous ? "which NAME?" : "which SOURCE?");
	if (!options.many && argc > (options.anonymous ? 1 : 2))
		return command_usage(invocation, "too many arguments");

	named = !options.anonymous && !options.many && argc == 2;
	exchange.succeeded = options.anonymous || named ? NULL : print_mapped;
	if (named)
		map_source(&exchange, invocation, &options, argv[0], argv[1]);
	else
		map_each(&exchange, invocation, &options, argc, argv);
	exchange_finish(&exchange);
	if (exchange.connection >= 0)
		close(exchange.connection);
	return exchange.failed ? STATUS_FAILURE : STATUS_OK;
}

const struct command command_map = {
	.name = "map",
	.operands = "SOURCE [NAME]\n       pmem2ctl map [OPTION]... --many SOURCE...\n"
		    "       pmem2ctl map [OPTION]... --anonymous SIZE NAME",
	.summary = "make mappings",
	.details =
		"Map SOURCE, a regular file or a device-DAX node, and show the mapping as NAME.\n"
		"Without NAME it gets the last component of SOURCE, which is then printed.\n"
		"With --many each SOURCE does, and a failure does not stop the others.\n"
		"Sizes are bytes, or have a suffix K, M, G, T (powers of 1024).\n\n"
		"      --anonymous SIZE    map SIZE bytes of memory without a file\n"
		"      --many              all operands are sources, or names of such memory\n"
		"  -o, --offset BYTES      where in SOURCE to begin (0)\n"
		"  -l, --length BYTES      how much to map (to the end)\n"
		"  -g, --granularity WORD  the coarsest that will do: byte, cache_line or page "
		"(page)\n"
		"      --sharing WORD      shared or private (shared)\n"
		"      --protection RWX    such as rw- or r-- (rw-)\n"
		"      --allocate          first allocate the blocks of a sparse file",
	.run = run_map,
};
