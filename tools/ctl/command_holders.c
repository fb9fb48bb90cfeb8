// SPDX-License-Identifier: BSD-3-Clause
/*
 * command_holders.c - pmem2ctl holders
 *
 * Has the daemon scan all processes and pick the mappings of the object, and finds other holders
 * afterwards: a process that unmaps meanwhile is at worst reported although it holds nothing.
 * "Nobody" is reported only when nothing could be hidden. Calls object.c, mapping_processes.c,
 * find_holders.c, rows.c and connection.c.
 */
#include "base/escape.h"
#include "ctl/command.h"
#include "ctl/command_table.h"
#include "ctl/connection.h"
#include "ctl/find_holders.h"
#include "ctl/json.h"
#include "ctl/mapping_processes.h"
#include "ctl/memory.h"
#include "ctl/object.h"
#include "ctl/other_holders.h"
#include "ctl/output.h"
#include "ctl/report.h"
#include "ctl/rows.h"
#include "ctl/text.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCANS_MAX 5 /* attempts, while mappings go or their facts are not known yet */

/* Its exit statuses: scripts rely on them. */
enum {
	HOLDERS_NOBODY = 0,
	HOLDERS_SOMEBODY = 1,
	HOLDERS_UNKNOWN = 2,
};

struct search {
	bool json, quiet;
	struct object object;
	struct rows rows; /* the mappings of the object, and what is known of others */
	struct mapping_processes processes;
	struct other_holders others;
	bool daemon_blind; /* the daemon does not see all processes */
	bool unread;       /* some mapping could not be read */
	bool in_use;       /* a thread that was left behind uses this */
};

static bool process_maps_object(const void *context, pid_t pid)
{
	return mapping_processes_has(context, pid);
}

/*
 * Reads the mappings of the object. Scans and reads again if a mapping has gone since the scan
 * began, since another process may have taken it over unseen; and if facts that decide whether a
 * mapping is of the object are not known yet.
 */
static enum scan_result read_mappings(struct search *search, int connection)
{
	size_t width = search->json ? PROCESS_FIELDS_JSON : PROCESS_FIELDS;
	struct rows *rows = &search->rows;
	enum scan_result scan;

	for (int i = 0; i < SCANS_MAX; i++) {
		scan = connection_scan(connection);
		if (scan != SCAN_PARTIAL && scan != SCAN_COMPLETE)
			return scan;
		search->daemon_blind = scan == SCAN_PARTIAL;
		rows_clear(rows);
		search->unread = rows_read(connection, process_fields, width,
					   object_where(&search->object), rows) != 0;
		if (rows->count || (!rows->answer.gone && !rows->answer.undecided))
			break;
	}
	for (size_t i = 0; i < rows->count; i++)
		mapping_processes_add(&search->processes, rows_at(rows, i));
	return scan;
}

/* Returns 0, or -1 after a message when nothing is known. */
static int find_all_holders(struct search *search, const char *socket)
{
	int connection = connection_open(socket);
	enum scan_result scan;

	if (connection < 0)
		return -1;
	scan = read_mappings(search, connection);
	close(connection);
	if (scan == SCAN_UNSUPPORTED)
		report(NULL, "the daemon is too old: it cannot look at other processes");
	if (scan == SCAN_PARTIAL || scan == SCAN_COMPLETE) {
		mapping_processes_sort(&search->processes);
		search->in_use = !find_holders(&search->others, &search->object,
					       process_maps_object, &search->processes);
	}
	return scan == SCAN_PARTIAL || scan == SCAN_COMPLETE ? 0 : -1;
}

/* The reasons why there may be more holders; for the caller to free with free_reasons. */
struct reasons {
	char **list;
	size_t count, room;
};

static void add_reason(struct reasons *reasons, char *text)
{
	memory_reserve(reasons->list, &reasons->room, reasons->count + 1, 8);
	reasons->list[reasons->count++] = text;
}

static void free_reasons(struct reasons *reasons)
{
	for (size_t i = 0; i < reasons->count; i++)
		free(reasons->list[i]);
	free(reasons->list);
}

static struct reasons find_reasons(const struct search *search)
{
	const struct lines_answer *answer = &search->rows.answer;
	struct reasons reasons = {0};

	if (search->daemon_blind)
		add_reason(&reasons, memory_format("the daemon does not see all processes"));
	if (search->unread)
		add_reason(&reasons, memory_format("not all mappings could be read"));
	if (answer->gone)
		add_reason(&reasons, memory_format("mappings come and go"));
	if (answer->undecided)
		add_reason(&reasons,
			   memory_format("the facts of %zu mappings are still being found",
					 answer->undecided));
	if (answer->hidden)
		add_reason(&reasons,
			   memory_format("you may not read %zu mappings", answer->hidden));
	if (search->object.partial)
		add_reason(&reasons, memory_format("not all that it consists of could be read"));
	for (int i = 0; i < DOUBT_COUNT; i++)
		if (search->others.doubts[i])
			add_reason(&reasons, memory_format("%s", search->others.doubts[i]));
	return reasons;
}

static void report_reasons(const struct search *search, const struct reasons *reasons,
			   const char *consequence)
{
	for (size_t i = 0; i < reasons->count; i++)
		report(search->object.what, "%s: %s", reasons->list[i], consequence);
}

static int print_json(const struct search *search, const struct reasons *reasons, bool held,
		      bool unknown)
{
	json_t *root = memory_require(json_object()), *others = memory_require(json_array());
	json_t *doubts = memory_require(json_array());
	const struct object *object = &search->object;
	int error;

	json_put_bytes(root, "what", object->what);
	json_put(root, "kind", json_string(object_kind_name(object)));
	json_put(root, "held", unknown ? json_null() : json_boolean(held));
	json_put(root, "complete", json_boolean(!reasons->count));
	json_put(root, "processes", mapping_processes_json(&search->processes));
	for (size_t i = 0; i < search->others.count; i++)
		json_append(others, other_holder_json(&search->others.list[i]));
	json_put(root, "others", others);
	for (size_t i = 0; i < reasons->count; i++) {
		char *text = memory_require(escape_encode(reasons->list[i]));

		json_append(doubts, json_string(text));
		free(text);
	}
	json_put(root, "doubts", doubts);

	error = output_json(root, JSON_INDENT(2));
	json_decref(root);
	return error;
}

static int print_line(const char *text)
{
	char *safe = text_display(text, NULL);
	int error = output_line(safe);

	free(safe);
	return error;
}

static bool has_origin(const struct mapping_processes *processes, const char *origin)
{
	for (size_t i = 0; i < processes->count; i++)
		if (!strcmp(processes->list[i].origin, origin))
			return true;
	return false;
}

static int print_text(const struct search *search)
{
	const struct mapping_processes *processes = &search->processes;
	int error = 0;

	if (processes->count)
		error = mapping_processes_print(processes);
	for (size_t i = 0; !error && i < search->others.count; i++) {
		char *text = other_holder_text(&search->others.list[i]);

		error = print_line(text);
		free(text);
	}
	if (!error && has_origin(processes, "pmem2fs"))
		error = output_text("(pmem2fs: held by the daemon itself, 'pmem2ctl unmap NAME' "
				    "frees it)\n");
	if (!error && has_origin(processes, "published"))
		error = output_text("(published: 'pmem2ctl unmap NAME' asks the process to free "
				    "it)\n");
	return error;
}

static int print_result(const struct search *search, const struct reasons *reasons, bool held,
			bool unknown)
{
	int error = 0;

	if (search->quiet)
		return 0;
	if (search->json)
		error = print_json(search, reasons, held, unknown);
	else if (held)
		error = print_text(search);
	else if (!unknown)
		error = print_line("nobody holds it");
	return error ? error : output_flush();
}

static int report_holders(struct search *search, const char *socket)
{
	struct reasons reasons;
	bool held, unknown;
	int error;

	if (find_all_holders(search, socket))
		return HOLDERS_UNKNOWN;
	reasons = find_reasons(search);
	held = search->processes.count || search->others.count;
	unknown = !held && (!search->object.known || reasons.count);

	error = print_result(search, &reasons, held, unknown);
	if (!held && !search->object.known && !search->object.partial)
		report(search->object.what, "no such region, namespace or device%s",
		       strchr(search->object.what, '/') ? "" : "; a file is named with a slash");
	else if (!held)
		report_reasons(search, &reasons, "cannot tell whether somebody holds it");
	else if (!search->quiet)
		report_reasons(search, &reasons, "there may be more");
	free_reasons(&reasons);
	if (held)
		return HOLDERS_SOMEBODY;
	return unknown || error ? HOLDERS_UNKNOWN : HOLDERS_NOBODY;
}

static int run_holders(struct invocation *invocation, int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"quiet", no_argument, NULL, 'q'},
		COMMAND_LONG_OPTIONS,
	};
	static struct search search; /* static, since a thread that is left behind may use it */
	int option, status;

	while ((option = command_getopt(argc, argv, "jq" COMMAND_SHORT_OPTIONS, options)) != -1) {
		switch (option) {
		case 'j':
			search.json = true;
			break;
		case 'q':
			search.quiet = true;
			break;
		default:
			status = command_option(invocation, option);
			if (status >= 0)
				return status;
		}
	}
	if (optind == argc)
		return command_usage(invocation, "which WHAT?");
	if (argc - optind > 1)
		return command_usage(invocation, "too many arguments");
	if (search.json && search.quiet)
		return command_usage(invocation, "--quiet prints nothing, --json does");

	status = HOLDERS_UNKNOWN;
	if (object_resolve(&search.object, argv[optind]) == 0)
		status = report_holders(&search, invocation->socket);
	other_holders_clear(&search.others);
	if (search.in_use)
		_exit(status); /* exit could wait for that thread, or free what it uses */
	mapping_processes_clear(&search.processes);
	rows_clear(&search.rows);
	object_clear(&search.object);
	return status;
}

const struct command command_holders = {
	.name = "holders",
	.operands = "WHAT",
	.summary = "tell who holds a device or file",
	.details = "Print which processes map WHAT, and who holds it otherwise. WHAT is a region,\n"
		   "namespace, disk, partition or DAX node by its name (region0, namespace0.0, "
		   "pmem0,\n"
		   "dax0.0), or the path of a device, a file or a mount point.\n\n"
		   "Exit status: 0 nobody holds it, 1 somebody does, 2 it cannot be told.\n\n"
		   "  -j, --json              print a JSON object\n"
		   "  -q, --quiet             print nothing but why it cannot be told",
	.run = run_holders,
};
