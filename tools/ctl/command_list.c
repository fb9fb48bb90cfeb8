// SPDX-License-Identifier: BSD-3-Clause
/*
 * command_list.c - pmem2ctl list
 *
 * --json prints each document as it is read, the table keeps what its cells need; --overlaps needs
 * all documents first. Calls command.c, connection.c, mountpoint.c, document_list.c, list_table.c,
 * overlaps.c, json.c, output.c, report.c and memory.c.
 */
#include "ctl/command.h"
#include "ctl/command_table.h"
#include "ctl/connection.h"
#include "ctl/document_list.h"
#include "ctl/json.h"
#include "ctl/list_table.h"
#include "ctl/memory.h"
#include "ctl/mountpoint.h"
#include "ctl/output.h"
#include "ctl/overlaps.h"
#include "ctl/report.h"
#include <stdlib.h>
#include <unistd.h>

struct listing {
	bool json, human, overlapping;
	bool broken; /* stdout takes no more */
	size_t shown, unreadable;
	struct list_table table;
	struct overlaps overlaps;
};

static bool print_document(struct listing *listing, const struct buffer *text)
{
	size_t length = text->length;

	while (length > 0 && text->bytes[length - 1] == '\n')
		length--;
	listing->broken = output_text(listing->shown++ ? ",\n" : "\n") != 0 ||
			  output_bytes(text->bytes, length) != 0;
	return !listing->broken;
}

static bool add_mapping(void *context, const char *name, const struct buffer *text,
			json_t *document)
{
	struct listing *listing = context;

	listing->unreadable += !document;
	if (listing->overlapping) {
		if (document)
			overlaps_add(&listing->overlaps, name, document);
	} else if (!listing->json) {
		list_table_add(&listing->table, name, document, 0, listing->human);
	} else if (document) {
		return print_document(listing, text);
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

static int print_listing(struct listing *listing, int mountpoint)
{
	bool stream = listing->json && !listing->overlapping;
	int error;
	size_t gone;
	int status;

	list_table_init(&listing->table, listing->overlapping);
	if (stream && output_text("["))
		listing->broken = true;
	status = documents_read(mountpoint, add_mapping, listing, &gone) ? STATUS_FAILURE
									 : STATUS_OK;
	if (stream)
		error = output_text(listing->shown ? "\n]\n" : "]\n");
	else if (listing->overlapping)
		error = print_overlaps(listing);
	else
		error = list_table_print(&listing->table);
	if (error || listing->broken)
		status = STATUS_FAILURE;
	if (listing->unreadable && (listing->json || listing->overlapping))
		report(NULL, "left out %zu that you may not read", listing->unreadable);
	overlaps_clear(&listing->overlaps);
	list_table_clear(&listing->table);
	return status;
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
	int connection;
	int mountpoint;
	enum scan_result scan;

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

	connection = connection_open(invocation->socket);
	if (connection < 0)
		return STATUS_FAILURE;
	mountpoint = mountpoint_open(connection);
	scan = mountpoint < 0 ? SCAN_FAILED : connection_scan(connection);
	close(connection);
	if (mountpoint < 0)
		return STATUS_FAILURE;
	if (scan == SCAN_PARTIAL)
		report(NULL, "not everything is visible: there may be more mappings");
	status = print_listing(&listing, mountpoint);
	if (scan == SCAN_FAILED)
		status = STATUS_FAILURE;
	close(mountpoint);
	return status;
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
