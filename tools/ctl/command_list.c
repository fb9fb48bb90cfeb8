// SPDX-License-Identifier: BSD-3-Clause
/*
 * command_list.c - pmem2ctl list
 *
 * --json prints one document after the other as the daemon sends them, all else is made of the
 * files in its mount. Calls command.c, connection.c, lines.c, document_text.c, mountpoint.c,
 * document_list.c, list_table.c, overlaps.c, json.c, output.c, report.c and memory.c.
 */
#include "base/text_buffer.h"
#include "ctl/command.h"
#include "ctl/command_table.h"
#include "ctl/connection.h"
#include "ctl/document_list.h"
#include "ctl/document_text.h"
#include "ctl/json.h"
#include "ctl/lines.h"
#include "ctl/list_table.h"
#include "ctl/memory.h"
#include "ctl/mountpoint.h"
#include "ctl/output.h"
#include "ctl/overlaps.h"
#include "ctl/report.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORTION ((size_t)64 * 1024) /* text to print at once */

struct listing {
	bool json, human, overlapping;
	bool broken; /* something could not be read, or stdout takes no more */
	size_t unreadable;
	struct list_table table;
	struct overlaps overlaps;
};

/* Prints the text, and empties it. */
static void print_text(struct listing *listing, struct text_buffer *text)
{
	if (text->failed)
		memory_exhausted();
	if (!listing->broken && text->length)
		listing->broken = output_bytes(text->bytes, text->length) != 0;
	text->length = 0;
}

/* The documents of all mappings, in the form of their files in the mount. */
static void print_documents(struct listing *listing, const struct lines *lines)
{
	struct text_buffer text = {0};
	const char *line = lines->bytes;
	bool wrong = false, any = false;

	for (size_t i = 0; i < lines->count && !listing->broken; i++) {
		size_t before = text.length;
		bool unreadable;

		text_buffer_put_text(&text, any ? ",\n" : "[\n");
		if (document_text_put(line, &text, &unreadable)) {
			wrong = true;
			text.length = before;
		} else if (unreadable) {
			listing->unreadable++;
			text.length = before;
		} else {
			any = true;
		}
		if (text.length >= PORTION)
			print_text(listing, &text);
		line += strlen(line) + 1;
	}
	/* Of a list of which nothing could be read nothing is printed, not an empty one. */
	if (any || !wrong)
		text_buffer_put_text(&text, any ? "\n]\n" : "[]\n");
	print_text(listing, &text);
	listing->broken |= wrong;
	free(text.bytes);
}

static void list_documents(struct listing *listing, int connection)
{
	json_t *question = memory_require(json_pack("{s:i}", "list", 1));
	struct lines_answer answer;
	struct lines lines;

	if (lines_read(connection, NULL, question, 0, &answer, &lines))
		listing->broken = true;
	else
		print_documents(listing, &lines);
	lines_clear(&lines);
}

static bool add_mapping(void *context, const char *name, const struct buffer *text,
			json_t *document)
{
	struct listing *listing = context;

	(void)text;
	listing->unreadable += !document;
	if (listing->overlapping) {
		if (document)
			overlaps_add(&listing->overlaps, name, document);
	} else {
		list_table_add(&listing->table, name, document, 0, listing->human);
	}
	return true;
}

/* The groups as arrays of documents. */
static json_t *groups_of(const struct overlaps *overlaps)
{
	json_t *groups = memory_require(json_array());
	json_t *group = NULL;
	size_t number = 0;

	for (size_t i = 0; i < overlaps->count; i++) {
		const struct overlap *overlap = &overlaps->list[i];

		if (overlap->group != number) {
			number = overlap->group;
			group = memory_require(json_array());
			json_append(groups, group);
		}
		json_append(group, json_incref(overlap->document));
	}
	return groups;
}

static int print_overlaps(struct listing *listing)
{
	struct overlaps *overlaps = &listing->overlaps;
	int error;

	overlaps_find(overlaps);
	if (listing->json) {
		json_t *groups = groups_of(overlaps);

		error = output_json(groups, JSON_INDENT(2));
		json_decref(groups);
	} else {
		for (size_t i = 0; i < overlaps->count; i++)
			list_table_add(&listing->table, overlaps->list[i].name,
				       overlaps->list[i].document, overlaps->list[i].group,
				       listing->human);
		error = list_table_print(&listing->table);
	}
	return error;
}

static void list_files(struct listing *listing, int mountpoint)
{
	size_t gone;
	int error;

	list_table_init(&listing->table, listing->overlapping);
	listing->broken = documents_read(mountpoint, add_mapping, listing, &gone) != 0;
	error = listing->overlapping ? print_overlaps(listing) : list_table_print(&listing->table);
	listing->broken |= error != 0;
	overlaps_clear(&listing->overlaps);
	list_table_clear(&listing->table);
}

static int list(struct listing *listing, const char *socket)
{
	bool documents = listing->json && !listing->overlapping;
	int connection = connection_open(socket), mountpoint = -1;
	enum scan_result scan;

	if (connection < 0)
		return STATUS_FAILURE;
	if (!documents) {
		mountpoint = mountpoint_open(connection);
		if (mountpoint < 0) {
			close(connection);
			return STATUS_FAILURE;
		}
	}
	scan = connection_scan(connection);
	if (scan == SCAN_PARTIAL)
		report(NULL, "not everything is visible: there may be more mappings");
	if (!documents)
		list_files(listing, mountpoint);
	else if (scan != SCAN_FAILED)
		list_documents(listing, connection);
	if (listing->unreadable && (listing->json || listing->overlapping))
		report(NULL, "left out %zu that you may not read", listing->unreadable);
	close(connection);
	if (mountpoint >= 0)
		close(mountpoint);
	return scan == SCAN_FAILED || listing->broken ? STATUS_FAILURE : STATUS_OK;
}

static int run_list(struct invocation *invocation, int argc, char **argv)
{
	static const struct option options[] = {
		{"human", no_argument, NULL, 'u'},
		{"json", no_argument, NULL, 'j'},
		{"overlaps", no_argument, NULL, 'o'},
		COMMAND_LONG_OPTIONS,
	};
	struct listing listing = {0};
	int option, status;

	while ((option = command_getopt(argc, argv, "ujo" COMMAND_SHORT_OPTIONS, options)) != -1) {
		switch (option) {
		case 'u':
			listing.human = true;
			break;
		case 'j':
			listing.json = true;
			break;
		case 'o':
			listing.overlapping = true;
			break;
		default:
			status = command_option(invocation, option);
			if (status >= 0)
				return status;
		}
	}
	if (optind < argc)
		return command_usage(invocation, "too many arguments");
	if (listing.json && listing.human)
		return command_usage(invocation, "--json has no human form");

	return list(&listing, invocation->socket);
}

const struct command command_list = {
	.name = "list",
	.operands = "",
	.summary = "list the mappings",
	.details = "List all mappings, sorted by name. Of one that you may not read, only the name "
		   "is\n"
		   "shown; a '?' is a fact that should exist and cannot be had.\n\n"
		   "  -u, --human             print sizes like 64M\n"
		   "  -j, --json              print an array of the mappings' documents\n"
		   "  -o, --overlaps          only mappings of ranges that another process maps "
		   "too,\n"
		   "                          in groups",
	.run = run_list,
};
