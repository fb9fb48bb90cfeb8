// SPDX-License-Identifier: BSD-3-Clause
/*
 * command_list.c - pmem2ctl list
 *
 * --json prints one document after the other as the daemon sends them, all else is made of columns.
 * The daemon picks the mappings. Calls command.c, connection.c, lines.c, rows.c, document_text.c,
 * list_table.c, overlaps.c, object.c, json.c, output.c, report.c, text.c, memory.c and
 * base/escape.c.
 */
#include "base/escape.h"
#include "base/text_buffer.h"
#include "ctl/command.h"
#include "ctl/command_table.h"
#include "ctl/connection.h"
#include "ctl/document_text.h"
#include "ctl/json.h"
#include "ctl/lines.h"
#include "ctl/list_table.h"
#include "ctl/memory.h"
#include "ctl/object.h"
#include "ctl/output.h"
#include "ctl/overlaps.h"
#include "ctl/report.h"
#include "ctl/rows.h"
#include "ctl/text.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORTION ((size_t)64 * 1024) /* text to print at once */

struct listing {
	bool json, human, overlapping, names;
	bool broken; /* something could not be read, or stdout takes no more */
	size_t unreadable, undecided;
	/* Which mappings; NULL: of all. */
	const char *of, *pid, *state;
	struct object object; /* that `of` names */
};

/* The "where" of the question (control.h), NULL: all mappings. */
static json_t *where_of(const struct listing *listing)
{
	json_t *where;

	if (!listing->of && !listing->pid && !listing->state)
		return NULL;
	where = listing->of ? object_where(&listing->object) : memory_require(json_pack("[{}]"));
	for (size_t i = 0; i < json_array_size(where); i++) {
		if (listing->pid)
			json_put(json_array_get(where, i), "pid", json_string(listing->pid));
		if (listing->state)
			json_put(json_array_get(where, i), "state", json_string(listing->state));
	}
	return where;
}

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
	/* If no document could be read, "[]" would wrongly say that there is no mapping. */
	if (any || !wrong)
		text_buffer_put_text(&text, any ? "\n]\n" : "[]\n");
	print_text(listing, &text);
	listing->broken |= wrong;
	free(text.bytes);
}

/* What is not among the lines although it may be asked for. */
static void count_others(struct listing *listing, const struct lines_answer *answer)
{
	listing->unreadable += answer->hidden;
	listing->undecided = answer->undecided;
}

static void list_documents(struct listing *listing, int connection)
{
	json_t *question = memory_require(json_pack("{s:i}", "list", 1));
	json_t *where = where_of(listing);
	struct lines_answer answer;
	struct lines lines;

	if (where)
		json_put(question, "where", where);
	if (lines_read(connection, NULL, question, 0, &answer, &lines))
		listing->broken = true;
	else
		print_documents(listing, &lines);
	lines_clear(&lines);
	count_others(listing, &answer);
}

/* The groups as arrays of documents. */
static int print_groups(const struct overlaps *overlaps)
{
	json_t *groups = memory_require(json_array());
	json_t *group = NULL;
	size_t number = 0;
	int error;

	for (size_t i = 0; i < overlaps->count; i++) {
		const struct overlap *overlap = &overlaps->list[i];
		const char *text = row_text(overlap->fields[FIELD_DOCUMENT]);

		if (overlap->group != number) {
			number = overlap->group;
			group = memory_require(json_array());
			json_append(groups, group);
		}
		json_append(group, text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL);
	}
	error = output_json(groups, JSON_INDENT(2));
	json_decref(groups);
	return error;
}

static int print_overlaps(struct listing *listing, const struct rows *rows)
{
	struct overlaps overlaps = {0};
	struct list_table table;
	int error;

	for (size_t i = 0; i < rows->count; i++)
		overlaps_add(&overlaps, rows_at(rows, i));
	overlaps_find(&overlaps);
	list_table_init(&table, true);
	for (size_t i = 0; i < overlaps.count && !listing->json; i++)
		list_table_add(&table, overlaps.list[i].fields, overlaps.list[i].group,
			       listing->human);
	error = listing->json ? print_groups(&overlaps) : list_table_print(&table);
	list_table_clear(&table);
	overlaps_clear(&overlaps);
	return error;
}

static int print_table(const struct listing *listing, const struct rows *rows)
{
	struct list_table table;
	int error;

	list_table_init(&table, false);
	for (size_t i = 0; i < rows->count; i++)
		list_table_add(&table, rows_at(rows, i), 0, listing->human);
	error = list_table_print(&table);
	list_table_clear(&table);
	return error;
}

static void list_rows(struct listing *listing, int connection)
{
	size_t width = !listing->overlapping ? LIST_FIELDS
		       : listing->json       ? DOCUMENT_FIELDS
					     : GROUP_FIELDS;
	struct rows rows;

	listing->broken = rows_read(connection, list_fields, width, where_of(listing), &rows) != 0;
	count_others(listing, &rows.answer);
	for (size_t i = 0; i < rows.count; i++)
		listing->unreadable += rows_at(&rows, i)[FIELD_ERRNO] != NULL;
	if (!listing->broken || rows.count)
		listing->broken |= listing->overlapping ? print_overlaps(listing, &rows) != 0
							: print_table(listing, &rows) != 0;
	rows_clear(&rows);
}

/* The daemon looks at no process for these, and reads nothing of the mappings. */
static void list_names(struct listing *listing, int connection)
{
	static const char *const name = "name";
	struct rows rows;

	listing->broken = rows_read(connection, &name, 1, NULL, &rows) != 0;
	for (size_t i = 0; i < rows.count && !listing->broken; i++) {
		const char *one = rows_at(&rows, i)[0];
		char *text = memory_require(escape_encode(one ? one : row_null));
		char *shown = text_display(text, NULL);

		listing->broken = output_line(shown) != 0;
		free(shown);
		free(text);
	}
	rows_clear(&rows);
}

static int print_listing(struct listing *listing, int connection)
{
	bool filtered = listing->of || listing->pid || listing->state;

	if (listing->json && !listing->overlapping)
		list_documents(listing, connection);
	else
		list_rows(listing, connection);
	if (listing->unreadable && (listing->json || listing->overlapping || filtered))
		report(NULL, "left out %zu that you may not read", listing->unreadable);
	if (listing->undecided)
		report(NULL, "left out %zu whose facts are still being found", listing->undecided);
	return listing->broken ? STATUS_FAILURE : STATUS_OK;
}

static int list(struct listing *listing, const char *socket)
{
	int connection = connection_open(socket);
	enum scan_result scan = SCAN_COMPLETE;
	int status;

	if (connection < 0)
		return STATUS_FAILURE;
	if (listing->names) {
		list_names(listing, connection);
		close(connection);
		return listing->broken ? STATUS_FAILURE : STATUS_OK;
	}
	scan = connection_scan(connection);
	if (scan == SCAN_PARTIAL)
		report(NULL, "not everything is visible: there may be more mappings");
	status = scan == SCAN_FAILED ? STATUS_FAILURE : print_listing(listing, connection);
	close(connection);
	return status;
}

static bool is_pid(const char *text)
{
	size_t length = strlen(text);

	return length && length < 10 && strspn(text, "0123456789") == length;
}

static bool is_state(const char *text)
{
	return !strcmp(text, "active") || !strcmp(text, "partial") || !strcmp(text, "lost");
}

/* Returns as command_option. */
static int read_option(struct invocation *invocation, int option, struct listing *listing)
{
	switch (option) {
	case 'u':
		listing->human = true;
		return -1;
	case 'j':
		listing->json = true;
		return -1;
	case 'o':
		listing->overlapping = true;
		return -1;
	case 'n':
		listing->names = true;
		return -1;
	case 'w':
		listing->of = optarg;
		return -1;
	case 'p':
		listing->pid = optarg;
		if (is_pid(optarg))
			return -1;
		return command_usage(invocation, "'%s' is not the number of a process", optarg);
	case 't':
		listing->state = optarg;
		if (is_state(optarg))
			return -1;
		return command_usage(invocation, "state '%s' is not active, partial or lost",
				     optarg);
	default:
		return command_option(invocation, option);
	}
}

static int run_list(struct invocation *invocation, int argc, char **argv)
{
	static const struct option options[] = {
		{"human", no_argument, NULL, 'u'},       {"json", no_argument, NULL, 'j'},
		{"names", no_argument, NULL, 'n'},       {"overlaps", no_argument, NULL, 'o'},
		{"of", required_argument, NULL, 'w'},    {"pid", required_argument, NULL, 'p'},
		{"state", required_argument, NULL, 't'}, COMMAND_LONG_OPTIONS,
	};
	static const char short_options[] = "ujnow:p:t:" COMMAND_SHORT_OPTIONS;
	struct listing listing = {0};
	int option, status;

	while ((option = command_getopt(argc, argv, short_options, options)) != -1) {
		status = read_option(invocation, option, &listing);
		if (status >= 0)
			return status;
	}
	if (optind < argc)
		return command_usage(invocation, "too many arguments");
	if (listing.json && listing.human)
		return command_usage(invocation, "--json has no human form");
	if (listing.names && (listing.json || listing.human || listing.overlapping || listing.of ||
			      listing.pid || listing.state))
		return command_usage(invocation, "--names goes with no other option");

	if (listing.of && object_resolve(&listing.object, listing.of))
		status = STATUS_FAILURE;
	else
		status = list(&listing, invocation->socket);
	object_clear(&listing.object);
	return status;
}

const struct command command_list = {
	.name = "list",
	.operands = "",
	.summary = "list the mappings",
	.details = "List all mappings, sorted by name. Of one that you may not read, only the name "
		   "is\n"
		   "shown; a '?' is a fact that should exist and cannot be had, '...' one that is\n"
		   "still being found.\n\n"
		   "  -u, --human             print sizes like 64M\n"
		   "  -j, --json              print an array of the mappings' documents\n"
		   "  -n, --names             print nothing but the names that are known now\n"
		   "  -o, --overlaps          only mappings of ranges that another process maps "
		   "too,\n"
		   "                          in groups\n"
		   "  -w, --of WHAT           only mappings of WHAT, named as for holders\n"
		   "  -p, --pid PID           only those of this process\n"
		   "  -t, --state STATE       only active, partial or lost ones",
	.run = run_list,
};
