// SPDX-License-Identifier: BSD-3-Clause
/*
 * command_show.c - pmem2ctl show
 *
 * Prints documents as they are in the mount. Calls command.c, connection.c, mountpoint.c, name.c,
 * output.c and report.c.
 */

#include "ctl/command.h"
#include "ctl/command_table.h"
#include "ctl/connection.h"
#include "ctl/mountpoint.h"
#include "ctl/name.h"
#include "ctl/output.h"
#include "ctl/report.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int run_show(struct invocation *invocation, int argc, char **argv)
{
	struct buffer document = {0};
	int status = command_parse(invocation, argc, argv);
	int connection;
	int mountpoint;

	if (status >= 0)
		return status;
	if (optind == argc)
		return command_usage(invocation, "which NAME?");

	connection = connection_open(invocation->socket);
	if (connection < 0)
		return STATUS_FAILURE;
	mountpoint = mountpoint_open(connection);
	close(connection);
	if (mountpoint < 0)
		return STATUS_FAILURE;

	status = STATUS_OK;
	for (int i = optind; i < argc; i++) {
		int error = -1;

		if (name_check(argv[i])) {
			error = mountpoint_read(mountpoint, argv[i], &document);
			if (error)
				report(argv[i], "%s", strerror(-error));
		}
		if (error) {
			status = STATUS_FAILURE;
		} else if (output_bytes(document.bytes, document.length)) {
			status = STATUS_FAILURE;
			break;
		}
	}
	free(document.bytes);
	close(mountpoint);
	return status;
}

const struct command command_show = {
	.name = "show",
	.operands = "NAME...",
	.summary = "print what is known of mappings",
	.details = "Print the JSON document of each NAME.\n",
	.run = run_show,
};
