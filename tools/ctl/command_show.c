// SPDX-License-Identifier: BSD-3-Clause
/*
 * command_show.c - pmem2ctl show
 */
#include "ctl/pmem2ctl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int run(struct invocation *invocation, int argc, char **argv)
{
	static const struct option options[] = {COMMON_LONG_OPTIONS};
	struct buffer document = {0};
	int option, status = STATUS_OK;

	while ((option = getopt_long(argc, argv, COMMON_SHORT_OPTIONS, options, NULL)) != -1) {
		status = common_option(invocation, option);
		if (status >= 0)
			return status;
	}
	if (optind == argc)
		return wrong_usage(invocation, "which NAME?");

	int connection = connection_open(invocation->socket);
	if (connection < 0)
		return STATUS_FAILURE;
	int mountpoint = mountpoint_open(connection);
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
		} else if (output(document.bytes, document.length)) {
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
	.run = run,
};
