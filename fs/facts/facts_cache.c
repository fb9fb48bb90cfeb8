/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * facts_cache.c - see facts_cache.h
 *
 * Two batches of queries exist at most, besides those left behind: the one that the thread works on
 * and the one that collects. The thread uses its batch and its facts reader; the catalog, the
 * process table and what is known of the processes are the loop's. A batch that hangs in a process
 * is left behind with its facts reader.
 *
 * When a wait ends before the facts have been read, the documents that were asked for say that
 * facts are pending (facts_cache_give_up); those of mappings that are only read ahead stay as they
 * are.
 */
#include "facts/facts_cache.h"
#include "base/array.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/shared_text.h"
#include "base/stuck_threads.h"
#include "facts/facts_reader.h"
#include "host/proc.h"
#include "scan/process_table.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* For how long what was read of areas and files serves for mappings that are read along. */
#define SERVES (CLOCK_SECOND / 10)

/* A process, with those of the queries that are about its mappings. */
struct batch_process {
	pid_t pid;
	bool foreign;
	bool stale;   /* `info` is to be read again; afterwards: has been */
	bool found;   /* a scan has just found its mappings as they are shown */
	bool changed; /* the pid is another process's by now, so that the facts are of no use */
	struct process_info *info;
	size_t first; /* of its queries; they reach to those of the next process */
};

struct batch {
	struct task task;
	struct facts_cache *facts_cache;
	struct facts_reader *facts_reader;
	struct progress progress;
	_Atomic pid_t at; /* the process that the thread reads of; relaxed: only its value counts */
	unsigned lane;
	bool abandoned;
	bool exact; /* nothing that was read before this was begun serves */
	uint64_t begun;
	uint64_t newest; /* number of a mapping; all up to it were there when this was begun */
	size_t query_count, query_room;
	struct facts_query *queries;
	size_t process_count, process_room;
	struct batch_process *processes;
	struct waiter *waiters, **waiters_end;
};

struct facts_cache {
	struct catalog *catalog;
	struct events *events;
	struct pool *pool;
	unsigned first_lane;
	pid_t keeper;
	const struct process_table *process_table; /* NULL: not known */
	struct stuck_threads stuck_threads;
	struct batch *working, *collecting;
	struct process_info *info;
	uint64_t info_checked;
	struct facts_reader *facts_reader;
	uint64_t rests_at; /* when what the reader keeps is to be freed; 0: it was */
};

/* Where the queries of a process end. */
static size_t queries_end(const struct batch *batch, size_t entry)
{
	return entry + 1 < batch->process_count ? batch->processes[entry + 1].first
						: batch->query_count;
}

static void read_process(struct batch *batch, size_t i)
{
	struct batch_process *entry = &batch->processes[i];
	struct process_info *info;

	atomic_store_explicit(&batch->at, entry->pid, memory_order_relaxed);
	info = entry->stale ? proc_process_info(entry->pid, entry->info) : NULL;
	if (info) {
		process_info_put(entry->info);
		entry->info = info;
	}
	facts_reader_begin_process(batch->facts_reader, entry->pid,
				   queries_end(batch, i) - entry->first);
	for (size_t q = entry->first; q < queries_end(batch, i); q++) {
		facts_reader_read(batch->facts_reader, &batch->queries[q]);
		batch->queries[q].facts.owner = process_info_get(entry->info);
		batch->queries[q].facts.pending |= entry->stale && !info;
	}
	entry->changed = entry->foreign && !proc_is(entry->pid, entry->info);
}

static void read_batch(struct task *task)
{
	struct batch *batch = container_of(task, struct batch, task);

	batch->begun = clock_now();
	facts_reader_begin(batch->facts_reader, batch->newest,
			   batch->exact ? batch->begun : batch->begun - SERVES);
	for (size_t i = 0; i < batch->process_count; i++)
		read_process(batch, i);
}

static void batch_free(struct batch *batch)
{
	for (size_t i = 0; i < batch->query_count; i++) {
		facts_clear(&batch->queries[i].facts);
		device_put(batch->queries[i].device);
		shared_text_put(batch->queries[i].path);
	}
	for (size_t i = 0; i < batch->process_count; i++)
		process_info_put(batch->processes[i].info);
	free(batch->processes);
	free(batch->queries);
	free(batch);
}

/* Where it is kept what the process of a mapping is known by, and when that was read. */
static struct process_info **info_of(struct facts_cache *facts_cache, const struct mapping *mapping,
				     uint64_t **checked)
{
	struct process *process = mapping_process(mapping);

	*checked = process ? &process->info_checked : &facts_cache->info_checked;
	return process ? &process->info : &facts_cache->info;
}

void facts_cache_give_up(struct facts_cache *facts_cache, struct mapping *mapping)
{
	if (!facts_cache_is_fresh(mapping, clock_now()))
		catalog_set_pending(facts_cache->catalog, mapping);
}

static void note_unread(struct facts_cache *facts_cache, struct mapping *mapping)
{
	if (mapping_is_awaited(mapping))
		facts_cache_give_up(facts_cache, mapping);
}

static void note_batch_unread(const struct batch *batch)
{
	struct mapping *mapping;

	for (size_t i = 0; batch && i < batch->query_count; i++) {
		mapping =
			catalog_find_number(batch->facts_cache->catalog, batch->queries[i].number);
		if (mapping)
			note_unread(batch->facts_cache, mapping);
	}
}

/* The facts have been read, or are not going to be. */
static void end_query(struct mapping *mapping)
{
	mapping_set_queried(mapping, false);
	mapping_set_awaited(mapping, false);
}

/* Whether no scan has found the mapping at another place meanwhile. */
static bool is_as_queried(const struct mapping *mapping, const struct facts_query *query)
{
	struct pmem2fs_record now;

	version_record(mapping_version(mapping), &now);
	return !memcmp(&now, &query->record, sizeof(now));
}

/* Takes in the answers about the mappings of a process. */
static void learn_facts(struct batch *batch, size_t i)
{
	struct facts_cache *facts_cache = batch->facts_cache;
	const struct batch_process *entry = &batch->processes[i];
	struct mapping *mapping;
	struct process_info **info;
	uint64_t *checked;

	for (size_t q = entry->first; q < queries_end(batch, i); q++) {
		struct facts_query *query = &batch->queries[q];

		mapping = catalog_find_number(facts_cache->catalog, query->number);
		if (!mapping)
			continue;
		if (entry->changed || !is_as_queried(mapping, query)) {
			note_unread(facts_cache, mapping);
			end_query(mapping);
			continue;
		}
		end_query(mapping);
		if (catalog_learn(facts_cache->catalog, mapping, &query->facts, query->read_at))
			events_changed(facts_cache->events, mapping);
		info = info_of(facts_cache, mapping, &checked);
		if (entry->stale && *checked != batch->begun) {
			process_info_put(*info);
			*info = process_info_get(entry->info);
			*checked = batch->begun;
		}
	}
}

static int start_batch(struct facts_cache *facts_cache);

static struct waiter *take_waiters(struct batch *batch)
{
	struct waiter *waiters = batch->waiters;

	batch->waiters = NULL;
	batch->waiters_end = &batch->waiters;
	return waiters;
}

static void batch_done(struct task *task)
{
	struct batch *batch = container_of(task, struct batch, task);
	struct facts_cache *facts_cache = batch->facts_cache;
	struct waiter *waiters = take_waiters(batch);

	if (batch->abandoned) {
		stuck_threads_return(&facts_cache->stuck_threads, batch->lane);
		facts_reader_free(batch->facts_reader);
		batch_free(batch);
		return;
	}
	facts_cache->working = NULL;
	for (size_t i = 0; i < batch->process_count; i++)
		learn_facts(batch, i);
	batch_free(batch);
	if (start_batch(facts_cache)) { /* old facts are better than none */
		note_batch_unread(facts_cache->collecting);
		*facts_cache->collecting->waiters_end = waiters;
		waiters = take_waiters(facts_cache->collecting);
	}
	facts_cache->rests_at = clock_now() + SERVES;
	waiters_wake(&waiters);
}

/* Submits the batch that collects, unless another one is being worked on. */
static int start_batch(struct facts_cache *facts_cache)
{
	struct batch *batch = facts_cache->collecting;
	int error;

	if (facts_cache->working || !batch)
		return 0;
	batch->newest = catalog_newest(facts_cache->catalog);
	batch->facts_reader = facts_cache->facts_reader;
	batch->lane = facts_cache->stuck_threads.now;
	batch->task.lane = facts_cache->first_lane + batch->lane;
	progress_begin(&batch->progress, clock_now());
	error = pool_submit(facts_cache->pool, &batch->task);
	if (error) {
		log_of_user(LOG_TOPIC_DAEMON, geteuid(), LOG_ERR,
			    "no thread to look at the mappings with");
		return error;
	}
	facts_cache->working = batch;
	facts_cache->collecting = NULL;
	return 0;
}

static struct batch *collecting_batch(struct facts_cache *facts_cache)
{
	struct batch *batch = facts_cache->collecting;

	if (batch)
		return batch;
	batch = calloc(1, sizeof(*batch));
	if (!batch)
		return NULL;
	batch->task.run = read_batch;
	batch->task.done = batch_done;
	batch->facts_cache = facts_cache;
	batch->waiters_end = &batch->waiters;
	facts_cache->collecting = batch;
	return batch;
}

/* The next query is about the mapping: begins another process unless the last one has it. -ENOMEM.
 */
static int add_process(struct batch *batch, const struct mapping *mapping)
{
	struct facts_cache *facts_cache = batch->facts_cache;
	const struct process *process = mapping_process(mapping);
	pid_t pid = process ? process->pid : facts_cache->keeper;
	struct batch_process *entry =
		batch->processes ? batch->processes + batch->process_count : NULL;
	uint64_t *checked, now;

	if (batch->process_count && entry[-1].pid == pid)
		return 0;
	if (array_reserve(batch->processes, &batch->process_room, batch->process_count + 1, 16))
		return -ENOMEM;
	entry = &batch->processes[batch->process_count++];
	*entry =
		(struct batch_process){.pid = pid, .foreign = process, .first = batch->query_count};
	entry->info = process_info_get(*info_of(facts_cache, mapping, &checked));
	now = clock_now();
	entry->stale = now - *checked >= FACTS_CACHE_FRESH;
	entry->found = process && facts_cache->process_table &&
		       process_table_has_found(facts_cache->process_table, process,
					       now - FACTS_CACHE_FRESH);
	return 0;
}

/* For the query's `path`. What is left of a mapping in parts only its areas show. */
static const char *path_before(const struct batch *batch, const struct mapping *mapping)
{
	const struct version *version = mapping_version(mapping);
	bool whole = !version->extents && !version->deleted;

	return batch->processes[batch->process_count - 1].found && mapping_checked(mapping) && whole
		       ? version->path
		       : NULL;
}

/* -ENOMEM, or -EBUSY: its process is left out. */
static int add_query(struct batch *batch, struct mapping *mapping)
{
	const struct process *process = mapping_process(mapping);
	struct pmem2fs_record record;
	struct facts_query *query;

	version_record(mapping_version(mapping), &record);
	if (process &&
	    stuck_threads_leave_out(&batch->facts_cache->stuck_threads, process->pid, record.uid))
		return -EBUSY;
	if (array_reserve(batch->queries, &batch->query_room, batch->query_count + 1, 64) ||
	    add_process(batch, mapping))
		return -ENOMEM;
	query = &batch->queries[batch->query_count++];
	*query = (struct facts_query){
		.number = mapping_number(mapping),
		.pid = batch->processes[batch->process_count - 1].pid,
		.foreign = mapping_process(mapping),
		.device = device_get(mapping_version(mapping)->device),
		.path = shared_text_get(path_before(batch, mapping)),
	};
	query->record = record;
	batch->exact |= mapping_has_changed(mapping);
	mapping_set_queried(mapping, true);
	return 0;
}

int facts_cache_request(struct facts_cache *facts_cache, struct mapping *mapping, unsigned more,
			struct waiter *waiter)
{
	struct batch *batch = collecting_batch(facts_cache);
	uint64_t now = clock_now();
	size_t place;
	int error = 0;

	if (!batch) {
		facts_cache_give_up(facts_cache, mapping);
		return -ENOMEM;
	}
	/*
	 * A mapping that is queried already is in this batch or in the one that is being worked on;
	 * to wait for this one is right in both cases.
	 */
	if (!mapping_is_queried(mapping))
		error = add_query(batch, mapping);
	if (error) {
		facts_cache_give_up(facts_cache, mapping);
		return error;
	}
	mapping_set_awaited(mapping, true);
	batch->exact |= !more;
	catalog_after(facts_cache->catalog, mapping_number(mapping) - 1,
		      &place); /* the mapping itself */
	while (more-- && (mapping = catalog_next(facts_cache->catalog, &place)))
		if (!mapping_is_queried(mapping) && !facts_cache_is_fresh(mapping, now) &&
		    add_query(batch, mapping) == -ENOMEM)
			break;
	error = start_batch(facts_cache);
	if (error)
		note_batch_unread(batch);
	if (error || !waiter)
		return error;
	waiter->since = now;
	waiter->next = NULL; /* the thread does not use the waiters */
	*batch->waiters_end = waiter;
	batch->waiters_end = &waiter->next;
	return 0;
}

/*
 * Leaves the batch that hangs behind, with its thread. Its queries about other processes and its
 * waiters move to the next batch.
 */
static void leave_stuck_batch(struct facts_cache *facts_cache)
{
	struct facts_reader *facts_reader = facts_reader_new();
	struct batch *next = collecting_batch(facts_cache), *batch = facts_cache->working;
	pid_t stuck = batch->progress.at;
	struct waiter *waiters;

	if (!facts_reader || !next ||
	    !stuck_threads_leave(&facts_cache->stuck_threads, stuck, proc_user(stuck),
				 "what is shown of it may be out of date")) {
		facts_reader_free(facts_reader);
		return;
	}
	facts_cache->facts_reader = facts_reader;
	batch->abandoned = true;
	next->exact |= batch->exact;
	facts_cache->working = NULL;
	for (size_t i = 0; i < batch->query_count; i++) {
		struct mapping *mapping =
			catalog_find_number(facts_cache->catalog, batch->queries[i].number);

		if (!mapping)
			continue;
		mapping_set_queried(mapping, false);
		if (add_query(next,
			      mapping)) { /* fails for the process in which the thread hangs */
			note_unread(facts_cache, mapping);
			end_query(mapping);
		}
	}
	if (batch->waiters) { /* its waiters came first */
		*batch->waiters_end = next->waiters;
		if (!next->waiters)
			next->waiters_end = batch->waiters_end;
		next->waiters = take_waiters(batch);
	}
	if (start_batch(facts_cache)) {
		note_batch_unread(next);
		waiters = take_waiters(next);
		waiters_wake(&waiters);
	}
}

/* Moves the waiters that have waited too long to the end of a list. */
static void take_overdue(struct batch *batch, uint64_t now, struct waiter ***end)
{
	struct waiter *waiter;

	while (batch && (waiter = batch->waiters) && waiter->since + FACTS_CACHE_PATIENCE <= now) {
		batch->waiters = waiter->next;
		if (!batch->waiters)
			batch->waiters_end = &batch->waiters;
		waiter->next = NULL;
		**end = waiter;
		*end = &waiter->next;
	}
}

/* Wakes the waiters that have waited too long. Facts that were not read count as pending. */
static void wake_overdue(struct facts_cache *facts_cache, uint64_t now)
{
	struct waiter *overdue = NULL, **end = &overdue;

	take_overdue(facts_cache->working, now, &end);
	take_overdue(facts_cache->collecting, now, &end);
	if (!overdue)
		return;
	note_batch_unread(facts_cache->working);
	note_batch_unread(facts_cache->collecting);
	waiters_wake(&overdue);
}

/* Has the reader free what it keeps when that serves no more. No thread uses the reader. */
static uint64_t rest(struct facts_cache *facts_cache, uint64_t now)
{
	if (!facts_cache->rests_at)
		return UINT64_MAX;
	if (now < facts_cache->rests_at)
		return facts_cache->rests_at;
	facts_reader_rest(facts_cache->facts_reader);
	facts_cache->rests_at = 0;
	return UINT64_MAX;
}

uint64_t facts_cache_expire(struct facts_cache *facts_cache, uint64_t now)
{
	struct batch *batch = facts_cache->working;

	if (!batch)
		return rest(facts_cache, now);
	if (now < progress_due(&batch->progress))
		return progress_due(&batch->progress);
	if (progress_check(&batch->progress, atomic_load_explicit(&batch->at, memory_order_relaxed),
			   now) == PROGRESS_STUCK &&
	    batch->progress.at != facts_cache->keeper)
		leave_stuck_batch(facts_cache);
	wake_overdue(facts_cache, now);
	batch = facts_cache->working;
	return batch ? progress_due(&batch->progress) : rest(facts_cache, now);
}

void facts_cache_use_scans(struct facts_cache *facts_cache,
			   const struct process_table *process_table)
{
	facts_cache->process_table = process_table;
}

struct process_info *facts_cache_keeper(const struct facts_cache *facts_cache)
{
	return facts_cache->info;
}

void facts_cache_free(struct facts_cache *facts_cache)
{
	if (!facts_cache)
		return;
	if (facts_cache->collecting)
		batch_free(facts_cache->collecting);
	facts_reader_free(facts_cache->facts_reader);
	process_info_put(facts_cache->info);
	free(facts_cache);
}

struct facts_cache *facts_cache_new(struct catalog *catalog, struct events *events,
				    struct pool *pool, unsigned first_lane, pid_t keeper)
{
	struct facts_cache *facts_cache = calloc(1, sizeof(*facts_cache));

	if (!facts_cache)
		return NULL;
	facts_cache->catalog = catalog;
	facts_cache->events = events;
	facts_cache->pool = pool;
	facts_cache->first_lane = first_lane;
	facts_cache->keeper = keeper;
	facts_cache->info = proc_process_info(keeper, NULL);
	facts_cache->info_checked = clock_now();
	facts_cache->facts_reader = facts_reader_new();
	if (!facts_cache->info || !facts_cache->facts_reader) {
		facts_cache_free(facts_cache);
		return NULL;
	}
	return facts_cache;
}
