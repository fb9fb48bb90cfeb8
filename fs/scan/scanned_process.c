/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scanned_process.c - see scanned_process.h
 *
 * A look first finds out all that is there now, and then compares it with what was told before;
 * when something fails in between, nothing was told and nothing is changed.
 */
#include "scan/scanned_process.h"
#include "base/log.h"
#include "host/maps.h"
#include "host/proc.h"
#include "host/tables.h"
#include "scan/observed_ranges.h"
#include "scan/published_ranges.h"
#include "scan/scan_diff.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Files that look like new tables and are tried, per look: most of them are. */
#define TRIED_MAX 8

/* Live slots that are compared with the areas, per look, whether or not there is anything there. */
#define ASKED_MAX 262144

/* What is there at one moment. */
struct view {
	struct maps maps;
	struct published_ranges claims; /* of the tables, one after the other */
	struct observed_ranges runs;
};

struct scanned_process *scanned_process_new(uint64_t number, pid_t pid, int pidfd)
{
	struct scanned_process *process = calloc(1, sizeof(*process));

	if (!process)
		return NULL;
	process->number = number;
	process->pid = pid;
	process->pidfd = pidfd;
	return process;
}

void scanned_process_free(struct scanned_process *process)
{
	if (!process)
		return;
	for (size_t i = 0; i < process->table_count; i++) {
		pmem2fs_table_close(&process->tables[i].reader);
		reported_mappings_clear(&process->tables[i].told);
	}
	reported_mappings_clear(&process->observed);
	close(process->pidfd);
	free(process);
}

bool scanned_process_is_alive(const struct scanned_process *process)
{
	struct pollfd pollfd = {.fd = process->pidfd, .events = POLLIN};

	return poll(&pollfd, 1, 0) == 0;
}

size_t scanned_process_count(const struct scanned_process *process)
{
	size_t count = process->observed.count;

	for (size_t i = 0; i < process->table_count; i++)
		count += process->tables[i].told.count;
	return count;
}

/* --- tables --- */

static struct scanned_table *find_table(struct scanned_process *process, uint64_t inode)
{
	for (size_t i = 0; i < process->table_count; i++)
		if (process->tables[i].inode == inode)
			return &process->tables[i];
	return NULL;
}

static void add_table(struct scanned_process *process, struct pmem2fs_table *reader, uint64_t inode)
{
	process->tables[process->table_count++] =
		(struct scanned_table){.inode = inode, .reader = reader};
}

static void tell_refused(struct scanned_process *process, int error)
{
	if (error != -EPROTONOSUPPORT || process->warned_version)
		return;
	process->warned_version = true;
	log_warning("process %d: its table is of a version that is not known here",
		    (int)process->pid);
}

void scanned_process_pass_table(struct scanned_process *process, int fd)
{
	struct pmem2fs_table *reader;
	uint64_t inode;
	int error = tables_open(fd, &reader, &inode);

	if (error)
		tell_refused(process, error);
	else if (process->table_count == SCANNED_TABLES_MAX || find_table(process, inode))
		pmem2fs_table_close(&reader);
	else
		add_table(process, reader, inode);
}

static bool may_be_table(const struct maps_area *area, dev_t shmem)
{
	return area->name == MAPS_TABLE && area->dev == shmem;
}

/* Which of the tables are still there, and which are new. */
static void find_tables(struct scanned_process *process, const struct maps *maps, dev_t shmem)
{
	unsigned tried = 0;

	for (size_t i = 0; i < process->table_count; i++)
		process->tables[i].mapped = false;
	for (size_t i = 0; i < maps->count; i++) {
		const struct maps_area *area = &maps->list[i];
		struct scanned_table *table;
		struct pmem2fs_table *reader;
		int error;

		if (area->dev != shmem || !area->inode)
			continue;
		/* One that was handed over may have any name. */
		table = find_table(process, area->inode);
		if (table)
			table->mapped = true;
		if (table || !may_be_table(area, shmem))
			continue;
		if (process->table_count == SCANNED_TABLES_MAX || tried++ == TRIED_MAX)
			continue;
		error = tables_open_area(maps, area, &reader);
		if (error) {
			tell_refused(process, error);
			continue;
		}
		add_table(process, reader, area->inode);
		process->tables[process->table_count - 1].mapped = true;
	}
}

/* Records are kept only where there is something to tell. */
static int read_table(struct scanned_process *process, struct scan_context *sight,
		      struct published_ranges *claims, uint32_t number)
{
	const struct scanned_table *table = &process->tables[number];
	const struct reported_mapping *old = table->told.list;
	const struct reported_mapping *behind = old ? old + table->told.count : NULL;
	struct pmem2fs_record record;
	uint64_t generation;

	for (uint32_t slot = 0;; slot++) {
		struct published_range *claim;
		int error = pmem2fs_table_next(table->reader, &slot, &generation, &record, NULL);

		if (error)
			return error == -ENOENT ? 0 : error;
		if (claims->count == sight->room || claims->seen == ASKED_MAX) {
			sight->left_out = true;
			return 0;
		}
		error = published_ranges_add(claims, &record, &claim);
		if (error)
			return error;
		if (!claim)
			continue;
		claim->slot = slot;
		claim->generation = generation;
		claim->table = number;
		while (old < behind && old->place < slot)
			old++;
		if (old < behind && scan_diff_is_same(old, claim))
			continue;
		error = published_ranges_keep_record(claims, claim, &record);
		if (error)
			return error;
	}
}

/* --- what is there --- */

static void clear_view(struct view *view)
{
	observed_ranges_clear(&view->runs);
	published_ranges_clear(&view->claims);
	maps_clear(&view->maps);
}

static int scan(struct scanned_process *process, struct scan_context *sight, struct view *view)
{
	struct published_ranges *claims = &view->claims;
	int error;

	*view = (struct view){0};
	error = maps_read(&view->maps, process->pid);
	if (error)
		return error;
	*claims = (struct published_ranges){
		.maps = &view->maps,
		.dax = sight->dax,
		.uid = sight->uid,
		.gid = sight->gid,
		.seed = sight->seed,
	};
	find_tables(process, &view->maps, dax_shmem(sight->dax));
	for (uint32_t i = 0; !error && i < process->table_count; i++)
		if (process->tables[i].mapped)
			error = read_table(process, sight, claims, i);
	if (!error)
		error = published_ranges_settle(claims);
	if (!error)
		error = observed_ranges_find(&view->runs, claims);
	if (error)
		clear_view(view);
	return error;
}

static int make_news(struct scan_diff *change, struct scan_report **news_ptr)
{
	const struct scanned_process *process = change->process;
	struct scan_report *report;

	*news_ptr = NULL;
	if (!change->count)
		return 0;
	report = malloc(sizeof(*report));
	if (!report)
		return -ENOMEM;
	*report = (struct scan_report){
		.process = process->number,
		.born = !process->told,
		.pid = process->pid,
		.uid = change->sight->uid,
		.gid = change->sight->gid,
		.pidfd = -1,
	};
	proc_comm(process->pid, report->comm);
	if (report->born) {
		report->pidfd = fcntl(process->pidfd, F_DUPFD_CLOEXEC, 0);
		if (report->pidfd < 0) {
			free(report);
			return -errno;
		}
	}
	*news_ptr = report;
	return 0;
}

/* Nothing can fail any more. */
static void remember(struct scan_diff *change, struct scan_report *report)
{
	struct scanned_process *process = change->process;
	size_t kept = 0;

	process->uid = change->sight->uid;
	process->gid = change->sight->gid;
	for (size_t i = 0; i < process->table_count; i++) {
		struct scanned_table *table = &process->tables[i];

		reported_mappings_clear(&table->told);
		table->told = change->tables[i];
		change->tables[i] = (struct reported_mappings){0};
		if (table->mapped) {
			process->tables[kept++] = *table;
		} else {
			pmem2fs_table_close(&table->reader);
			reported_mappings_clear(&table->told);
		}
	}
	process->table_count = kept;
	reported_mappings_clear(&process->observed);
	process->observed = change->observed;
	change->observed = (struct reported_mappings){0};
	if (!report)
		return;
	process->told = true;
	report->count = change->count;
	report->list = change->list;
	change->list = NULL;
	change->count = 0;
}

/* --- a look --- */

/* Of what is observed, only what was told before or is in the view before as well. */
static void keep_steady(const struct scanned_process *process, const struct observed_ranges *before,
			struct observed_ranges *runs)
{
	size_t kept = 0, i = 0;

	for (size_t j = 0; j < runs->count; j++) {
		const struct observed_range *run = &runs->list[j];

		while (i < before->count && before->list[i].begin < run->begin)
			i++;
		if (scan_diff_find_observed(process, run) ||
		    (i < before->count && before->list[i].begin == run->begin &&
		     before->list[i].identity == run->identity))
			runs->list[kept++] = *run;
	}
	runs->count = kept;
}

/*
 * Between the areas and a table time passes: what a program publishes or unmaps just then would be
 * seen as a mapping that is in no table. So of programs that publish, what is observed for the
 * first time is looked at twice.
 */
static int look_twice(struct scanned_process *process, struct scan_context *sight,
		      struct view *view)
{
	struct view second;
	bool unknown = false, publishes = false;
	int error;

	for (size_t i = 0; i < process->table_count; i++)
		publishes |= process->tables[i].mapped;
	for (size_t i = 0; publishes && !unknown && i < view->runs.count; i++)
		unknown = !scan_diff_find_observed(process, &view->runs.list[i]);
	if (!unknown)
		return 0;
	error = scan(process, sight, &second);
	if (error)
		return error;
	keep_steady(process, &view->runs, &second.runs);
	clear_view(view);
	*view = second;
	return 0;
}

int scanned_process_scan(struct scanned_process *process, struct scan_context *sight,
			 struct scan_report **report)
{
	struct view view;
	struct scan_diff change = {
		.process = process, .sight = sight, .claims = &view.claims, .runs = &view.runs};
	int error = scan(process, sight, &view);

	*report = NULL;
	if (error)
		goto end;
	error = look_twice(process, sight, &view);
	view.claims.maps = &view.maps; /* it may have moved */
	if (!error && view.claims.count + view.runs.count > sight->room) {
		view.runs.count = sight->room - view.claims.count;
		sight->left_out = true;
	}
	if (!error && !scanned_process_is_alive(process))
		error = -ESRCH;
	if (!error)
		error = scan_diff_compute(&change);
	if (!error)
		error = make_news(&change, report);
	if (!error)
		remember(&change, *report);
	scan_diff_clear(&change);
	clear_view(&view);
end:
	return error && !scanned_process_is_alive(process) ? -ESRCH : error;
}

struct scan_report *scanned_process_gone(const struct scanned_process *process)
{
	struct scan_report *report = process->told ? calloc(1, sizeof(*report)) : NULL;

	if (report) {
		report->process = process->number;
		report->gone = true;
		report->pidfd = -1;
	}
	return report;
}

int scanned_process_is_of_interest(pid_t pid, struct dax *dax)
{
	struct maps maps;
	int error = maps_read(&maps, pid);
	bool found = false;

	if (error)
		return error;
	for (size_t i = 0; !found && i < maps.count; i++)
		found = may_be_table(&maps.list[i], dax_shmem(dax)) ||
			dax_find(dax, &maps, &maps.list[i]);
	maps_clear(&maps);
	return found;
}
