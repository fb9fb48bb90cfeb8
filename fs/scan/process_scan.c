/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_scan.c - see process_scan.h
 *
 * A scan first takes a snapshot of all that is there, and then compares it with what was reported.
 * When something fails in between, no report is made and the record of the process stays the same.
 *
 * Tables that change without end would cost as much at each scan as all that is in them. So their
 * process, if it is a user's, gets pauses, each twice as long as the one before, in which they are
 * not read. What they said is still true in a pause as long as the areas are the same. Once these
 * change, it may be false, and stays shown until the tables are read; persistent memory at other
 * addresses is shown as observed.
 */
#include "scan/process_scan.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/share.h"
#include "host/proc.h"
#include "host/proc_maps.h"
#include "scan/observed_ranges.h"
#include "scan/published_ranges.h"
#include "scan/scan_diff.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* Records of tables that are compared with the areas, per scan, whether or not these confirm them.
 */
#define RECORDS_MAX 262144

/*
 * So many mappings that have changed or gone since the last scan lead to a pause. A program has
 * fewer, unless it changes its tables on purpose.
 */
#define OUTDATED_MANY 1024
#define PAUSE_FIRST   (CLOCK_SECOND / 1000)
#define PAUSE_MAX     (5 * CLOCK_SECOND)

/* All that a process has at one moment. */
struct process_snapshot {
	/* Of the tables that were known before. Read first: no later change is missed. */
	uint64_t changes[SCANNED_TABLES_MAX];
	struct maps maps;
	uint64_t areas;                    /* hash_of_areas */
	struct published_ranges published; /* of its tables, one after the other */
	struct observed_ranges observed;
};

/* Records are kept only of ranges that a report will name. */
static int read_table(struct scanned_process *process, struct scan_context *context,
		      struct published_ranges *published, uint32_t number)
{
	const struct scanned_table *table = &process->tables[number];
	const struct reported_mapping *old = table->reported.list;
	const struct reported_mapping *end = old ? old + table->reported.count : NULL;
	struct pmem2fs_record record;
	uint64_t generation;

	for (uint32_t slot = 0;; slot++) {
		struct published_range *range;
		int error = pmem2fs_table_next(table->reader, &slot, &generation, &record, NULL);

		if (error)
			return error == -ENOENT ? 0 : error;
		if (published->count == context->room || published->seen == RECORDS_MAX) {
			context->left_out = true;
			return 0;
		}
		error = published_ranges_add(published, &record, &range);
		if (error)
			return error;
		if (!range)
			continue;
		range->slot = slot;
		range->generation = generation;
		range->table = number;
		while (old < end && old->place < slot)
			old++;
		if (old < end && scan_diff_is_same(old, range))
			continue;
		error = published_ranges_keep_record(published, range, &record);
		if (error)
			return error;
	}
}

/* Adds what was reported of a table. */
static int recall_table(const struct scanned_process *process, struct published_ranges *published,
			uint32_t number)
{
	const struct reported_mappings *reported = &process->tables[number].reported;

	for (size_t i = 0; i < reported->count; i++) {
		const struct reported_mapping *old = &reported->list[i];
		struct published_range range = {
			.begin = old->begin,
			.end = old->end,
			.generation = old->identity,
			.slot = (uint32_t)old->place,
			.table = number,
			.digest = old->digest,
		};
		int error = 0;

		if (old->extents)
			error = extents_intersect(old->extents, NULL, &range.extents);
		if (!error)
			error = published_ranges_recall(published, &range);
		if (error)
			return error;
	}
	return 0;
}

/* --- snapshots --- */

static void snapshot_clear(struct process_snapshot *snapshot)
{
	observed_ranges_clear(&snapshot->observed);
	published_ranges_clear(&snapshot->published);
	maps_clear(&snapshot->maps);
}

/* A hash of what a scan compares tables with. */
static uint64_t hash_of_areas(const struct maps *maps, const struct scan_context *context)
{
	const uint64_t ids[] = {context->uid, context->gid, maps->count};
	uint64_t hash = hash_words(ids, 3, context->seed);

	for (size_t i = 0; i < maps->count; i++) {
		const struct maps_area *area = &maps->list[i];
		const uint64_t words[] = {
			area->begin,
			area->end,
			area->offset,
			area->inode,
			area->dev,
			area->protection | (uint64_t)area->shared << 8 | (uint64_t)area->name << 16,
		};

		hash = hash_words(words, sizeof(words) / sizeof(*words), hash);
	}
	return hash;
}

/*
 * Not for another user: the tables are read, since the mappings are that user's. Another group has
 * to wait, since a process may change its group before each scan.
 */
static bool has_pause(const struct scanned_process *process, const struct scan_context *context)
{
	return context->now < process->paused_until && share_is_limited(context->uid) &&
	       context->uid == process->uid;
}

static int take_snapshot(struct scanned_process *process, struct scan_context *context,
			 struct process_snapshot *snapshot)
{
	bool pause = has_pause(process, context);
	struct published_ranges *published = &snapshot->published;
	int error;

	*snapshot = (struct process_snapshot){0};
	for (size_t i = 0; i < process->table_count; i++)
		snapshot->changes[i] = scanned_table_changes(&process->tables[i]);
	error = maps_read(&snapshot->maps, process->pid);
	if (error)
		return error;
	snapshot->areas = hash_of_areas(&snapshot->maps, context);
	if (pause && snapshot->areas == process->areas)
		return 0;
	*published = (struct published_ranges){
		.maps = &snapshot->maps,
		.dax = context->dax,
		.uid = context->uid,
		.gid = context->gid,
		.seed = context->seed,
	};
	scanned_process_find_tables(process, &snapshot->maps, dax_shmem(context->dax));
	for (uint32_t i = 0; !error && i < process->table_count; i++)
		if (process->tables[i].mapped)
			error = pause ? recall_table(process, published, i)
				      : read_table(process, context, published, i);
	if (!error)
		error = published_ranges_settle(published);
	if (!error)
		error = observed_ranges_find(&snapshot->observed, published);
	if (error)
		snapshot_clear(snapshot);
	return error;
}

static bool was_reported(const struct scanned_process *process, const struct observed_range *range)
{
	return reported_mappings_find(&process->observed, range->begin, range->identity);
}

/* Keeps only the observed ranges that were reported before or are in both snapshots. */
static void drop_transient(const struct scanned_process *process,
			   const struct observed_ranges *before, struct observed_ranges *observed)
{
	size_t kept = 0, i = 0;

	for (size_t j = 0; j < observed->count; j++) {
		const struct observed_range *range = &observed->list[j];

		while (i < before->count && before->list[i].begin < range->begin)
			i++;
		if (was_reported(process, range) ||
		    (i < before->count && before->list[i].begin == range->begin &&
		     before->list[i].identity == range->identity))
			observed->list[kept++] = *range;
	}
	observed->count = kept;
}

/*
 * The areas are read before the tables: a mapping that the program publishes or unmaps in between
 * would look like one that is in no table. So a program that publishes gets a second snapshot when
 * the first one has an observed range that was never reported.
 */
static int confirm_observed(struct scanned_process *process, struct scan_context *context,
			    struct process_snapshot *snapshot)
{
	struct process_snapshot second;
	bool unknown = false, publishes = false;
	int error;

	for (size_t i = 0; !has_pause(process, context) && i < process->table_count; i++)
		publishes |= process->tables[i].mapped;
	for (size_t i = 0; publishes && !unknown && i < snapshot->observed.count; i++)
		unknown = !was_reported(process, &snapshot->observed.list[i]);
	if (!unknown)
		return 0;
	error = take_snapshot(process, context, &second);
	if (error)
		return error;
	drop_transient(process, &snapshot->observed, &second.observed);
	snapshot_clear(snapshot);
	*snapshot = second;
	return 0;
}

static int make_report(struct scan_diff *diff, struct scan_report **report_ptr)
{
	const struct scanned_process *process = diff->process;
	struct scan_report *report;

	*report_ptr = NULL;
	if (!diff->count)
		return 0;
	report = malloc(sizeof(*report));
	if (!report)
		return -ENOMEM;
	*report = (struct scan_report){
		.process = process->number,
		.born = !process->reported,
		.pid = process->pid,
		.uid = diff->context->uid,
		.gid = diff->context->gid,
		.pidfd = -1,
	};
	proc_comm(process->pid, report->comm);
	if (report->born) {
		report->pidfd = fcntl(process->pidfd, F_DUPFD_CLOEXEC, 0);
		if (report->pidfd < 0) {
			int error = -errno;

			free(report);
			return error;
		}
	}
	*report_ptr = report;
	return 0;
}

/* Nothing in here can fail: report and record are made of the same diff. */
static void remember_reported(struct scan_diff *diff, const struct process_snapshot *snapshot,
			      struct scan_report *report)
{
	struct scanned_process *process = diff->process;
	size_t kept = 0;

	process->uid = diff->context->uid;
	for (size_t i = 0; i < process->table_count; i++) {
		struct scanned_table *table = &process->tables[i];

		reported_mappings_clear(&table->reported);
		table->reported = diff->tables_now[i];
		table->changes = diff->context->looked ? snapshot->changes[i] : 0;
		diff->tables_now[i] = (struct reported_mappings){0};
		if (table->mapped) {
			process->tables[kept++] = *table;
		} else {
			pmem2fs_table_close(&table->reader);
			reported_mappings_clear(&table->reported);
		}
	}
	process->table_count = kept;
	reported_mappings_clear(&process->observed);
	process->observed = diff->observed_now;
	diff->observed_now = (struct reported_mappings){0};
	if (!report)
		return;
	process->reported = true;
	report->count = diff->count;
	report->list = diff->list;
	diff->list = NULL;
	diff->count = 0;
}

static void set_pause(struct scanned_process *process, const struct scan_context *context,
		      const struct scan_diff *diff)
{
	bool pause = has_pause(process, context);

	if (diff->outdated > OUTDATED_MANY)
		process->pause = process->pause ? process->pause * 2 : PAUSE_FIRST;
	else if (!pause && diff->of_tables <= OUTDATED_MANY)
		process->pause = 0;
	if (process->pause > PAUSE_MAX)
		process->pause = PAUSE_MAX;
	if (!pause)
		process->paused_until = context->now + process->pause;
}

int process_scan(struct scanned_process *process, struct scan_context *context,
		 struct scan_report **report)
{
	struct process_snapshot snapshot;
	struct scan_diff diff = {.process = process,
				 .context = context,
				 .published = &snapshot.published,
				 .observed = &snapshot.observed};
	int error = take_snapshot(process, context, &snapshot);

	*report = NULL;
	if (error)
		goto end;
	context->looked = !has_pause(process, context);
	if (!context->looked && snapshot.areas == process->areas) {
		context->left_out = process->left_out;
		context->unsure = process->unsure;
		snapshot_clear(&snapshot);
		goto end;
	}
	error = confirm_observed(process, context, &snapshot);
	snapshot.published.maps = &snapshot.maps; /* it may have moved */
	if (!error && snapshot.published.count + snapshot.observed.count > context->room) {
		snapshot.observed.count = context->room - snapshot.published.count;
		context->left_out = true;
	}
	if (!error && !scanned_process_is_alive(process))
		error = -ESRCH;
	if (!error)
		error = scan_diff_compute(&diff);
	if (!error)
		error = make_report(&diff, report);
	if (!error) {
		process->areas = snapshot.areas;
		process->left_out = context->left_out;
		process->unsure = context->unsure = !context->looked;
		set_pause(process, context, &diff);
		remember_reported(&diff, &snapshot, *report);
	}
	scan_diff_clear(&diff);
	snapshot_clear(&snapshot);
end:
	return error && !scanned_process_is_alive(process) ? -ESRCH : error;
}
