// SPDX-License-Identifier: BSD-3-Clause
/*
 * command_events.c - pmem2ctl events
 *
 * Prints what the daemon sends until either end goes away. Calls command.c, connection.c, output.c,
 * report.c and memory.c.
 */

#include "ctl/command.h"
#include "ctl/command_table.h"
#include "ctl/connection.h"
#include "ctl/memory.h"
#include "ctl/output.h"
#include "ctl/report.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Waits for the next event. The end of the reader of stdout is noticed at once rather than at the
 * next event, and ends pmem2ctl as a write would.
 */
static int wait_for_event(int connection)
{
	struct pollfd polled[] = {
		{.fd = connection, .events = POLLIN},
		{.fd = STDOUT_FILENO},
	};

	while (!polled[0].revents) {
		if (poll(polled, 2, -1) < 0 && errno != EINTR) {
			report(NULL, "cannot wait for events: %s", strerror(errno));
			return -errno;
		}
		if (polled[1].revents & POLLERR)
			raise(SIGPIPE);
	}
	return 0;
}

static int print_event(const json_t *event)
{
	int error = output_json(event, JSON_COMPACT);

	return error ? error : output_flush();
}

static int run_events(struct invocation *invocation, int argc, char **argv)
{
	int error = 0, status = command_parse(invocation, argc, argv);
	int connection;

	if (status >= 0)
		return status;
	if (optind < argc)
		return command_usage(invocation, "too many arguments");

	connection = connection_open(invocation->socket);
	if (connection < 0)
		return STATUS_FAILURE;
	if (connection_ask(connection, NULL, memory_require(json_pack("{s:i}", "events", 1)), -1,
			   NULL) != ANSWER_SUCCESS)
		goto close_connection;
	while (!error) {
		json_t *event;

		error = wait_for_event(connection);
		event = error ? NULL : connection_receive(connection, NULL);
		if (!event)
			break;
		error = print_event(event);
		json_decref(event);
	}

close_connection:
	close(connection);
	return STATUS_FAILURE;
}

const struct command command_events = {
	.name = "events",
	.operands = "",
	.summary = "print events as they happen",
	.details = "Print one line of JSON for each mapping, unmapping, renaming, failed request "
		   "and change\n"
		   "of state or bad blocks, until the daemon goes away. Only root sees those of "
		   "other\n"
		   "users.\n",
	.run = run_events,
};
