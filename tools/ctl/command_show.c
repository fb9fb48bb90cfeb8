// SPDX-License-Identifier: BSD-3-Clause
/*
 * command_show.c - pmem2ctl show
 *
 * Prints documents as they are in the mount. Calls command.c, connection.c, lines.c,
 * document_text.c, name.c, output.c and report.c.
 */

#include "base/text_buffer.h"
#include "ctl/command.h"
#include "ctl/command_table.h"
#include "ctl/connection.h"
#include "ctl/document_text.h"
#include "ctl/lines.h"
#include "ctl/memory.h"
#include "ctl/name.h"
#include "ctl/output.h"
#include "ctl/report.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int show(int connection, const char *name)
{
	json_t *question = memory_require(json_object());
	struct text_buffer text = {0};
	int status = STATUS_FAILURE;
	struct lines_answer answer;
	struct lines lines;
	bool unreadable;

	name_put(question, "show", name);
	if (!lines_read(connection, name, question, 0, &answer, &lines) && lines.count == 1 &&
	    !document_text_put(lines.bytes, &text, &unreadable)) {
		text_buffer_put_byte(&text, '\n');
		if (unreadable)
			report(name, "%s", strerror(EACCES));
		else if (!output_bytes(text.bytes, text.length))
			status = STATUS_OK;
	}
	lines_clear(&lines);
	free(text.bytes);
	return status;
}

static int run_show(struct invocation *invocation, int argc, char **argv)
{
	int status = command_parse(invocation, argc, argv);
	int connection;

	if (status >= 0)
		return status;
	if (optind == argc)
		return command_usage(invocation, "which NAME?");

	connection = connection_open(invocation->socket);
	if (connection < 0)
		return STATUS_FAILURE;
	status = STATUS_OK;
	for (int i = optind; i < argc; i++) {
		if (!name_check(argv[i]) || show(connection, argv[i]) != STATUS_OK)
			status = STATUS_FAILURE;
	}
	close(connection);
	return status;
}

const struct command command_show = {
	.name = "show",
	.operands = "NAME...",
	.summary = "print what is known of mappings",
	.details = "Print the JSON document of each NAME.\n",
	.run = run_show,
};
