/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * facts_cache.c - see facts_cache.h
 *
 * Two batches of questions exist at most: the one that the thread works on and the one that
 * collects. The thread sees its batch and the examiner; the name space, the holders and their
 * owners are the loop's. A batch that gets stuck in a process is left behind with its examiner.
 */
#include "facts/facts_cache.h"
#include "base/array.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/stuck_threads.h"
#include "facts/facts_reader.h"
#include "host/proc.h"
#include "scan/process_table.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A process whose mappings are asked about. */
struct party {
	pid_t pid;
	bool foreign;
	bool stale;   /* the owner is to be looked at; after that: he was */
	bool changed; /* the pid is another process's by now: nothing that was seen is its */
	struct process_info *owner;
	size_t first; /* of its questions; they reach to the next party's */
};

struct batch {
	struct task task;
	struct facts_cache *facts_cache;
	struct facts_reader *facts_reader;
	struct progress progress;
	_Atomic pid_t at; /* the process that is being looked at just now */
	unsigned lane;
	bool abandoned;
	uint64_t begun;
	uint64_t newest; /* number of a mapping; all up to it were there when this was begun */
	size_t count, room;
	struct facts_query *questions;
	size_t party_count, party_room;
	struct party *parties;
	struct waiter *waiters, **waiters_end;
};

struct facts_cache {
	struct catalog *catalog;
	struct events *events;
	struct pool *pool;
	unsigned first_lane;
	pid_t keeper;
	struct stuck_threads stuck_threads;
	struct batch *working, *collecting;
	struct process_info *owner;
	uint64_t owner_checked;
	struct facts_reader *facts_reader;
};

/* Where the questions of a party end. */
static size_t party_end(const struct batch *batch, size_t party)
{
	return party + 1 < batch->party_count ? batch->parties[party + 1].first : batch->count;
}

static void look_at_party(struct batch *batch, size_t i)
{
	struct party *party = &batch->parties[i];
	struct process_info *owner;

	atomic_store_explicit(&batch->at, party->pid, memory_order_relaxed);
	owner = party->stale ? proc_process_info(party->pid, party->owner) : NULL;
	if (owner) {
		process_info_put(party->owner);
		party->owner = owner;
	}
	for (size_t q = party->first; q < party_end(batch, i); q++) {
		facts_reader_read(batch->facts_reader, &batch->questions[q]);
		batch->questions[q].facts.owner = process_info_get(party->owner);
	}
	party->changed = party->foreign && !proc_is(party->pid, party->owner);
}

static void run_batch(struct task *task)
{
	struct batch *batch = container_of(task, struct batch, task);

	batch->begun = clock_now();
	facts_reader_begin(batch->facts_reader, batch->newest);
	for (size_t i = 0; i < batch->party_count; i++)
		look_at_party(batch, i);
}

static void batch_free(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		facts_clear(&batch->questions[i].facts);
		device_put(batch->questions[i].device);
	}
	for (size_t i = 0; i < batch->party_count; i++)
		process_info_put(batch->parties[i].owner);
	free(batch->parties);
	free(batch->questions);
	free(batch);
}

/* Where the owner of a mapping is kept. */
static struct process_info **owner_of(struct facts_cache *facts_cache,
				      const struct mapping *mapping, uint64_t **checked)
{
	struct process *process = mapping_process(mapping);

	*checked = process ? &process->owner_checked : &facts_cache->owner_checked;
	return process ? &process->owner : &facts_cache->owner;
}

/* What was found out about the mappings of a party. */
static void learn(struct batch *batch, size_t i)
{
	struct facts_cache *facts_cache = batch->facts_cache;
	const struct party *party = &batch->parties[i];
	struct mapping *mapping;
	struct process_info **owner;
	uint64_t *checked;

	for (size_t q = party->first; q < party_end(batch, i); q++) {
		struct facts_query *query = &batch->questions[q];

		mapping = catalog_find_number(facts_cache->catalog, query->number);
		if (!mapping)
			continue;
		mapping_set_queried(mapping, false);
		if (party->changed)
			continue;
		if (catalog_learn(facts_cache->catalog, mapping, &query->facts, query->looked))
			events_changed(facts_cache->events, mapping);
		owner = owner_of(facts_cache, mapping, &checked);
		if (party->stale && *checked != batch->begun) {
			process_info_put(*owner);
			*owner = process_info_get(party->owner);
			*checked = batch->begun;
		}
	}
}

static int start(struct facts_cache *facts_cache);

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
	for (size_t i = 0; i < batch->party_count; i++)
		learn(batch, i);
	batch_free(batch);
	if (start(facts_cache)) { /* better old facts than none */
		*facts_cache->collecting->waiters_end = waiters;
		waiters = take_waiters(facts_cache->collecting);
	}
	waiters_wake(&waiters);
}

/* Has the batch that was collected worked on, unless one is. */
static int start(struct facts_cache *facts_cache)
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
		log_error("no thread to look at the mappings with");
		return error;
	}
	facts_cache->working = batch;
	facts_cache->collecting = NULL;
	return 0;
}

static struct batch *collecting(struct facts_cache *facts_cache)
{
	struct batch *batch = facts_cache->collecting;

	if (batch)
		return batch;
	batch = calloc(1, sizeof(*batch));
	if (!batch)
		return NULL;
	batch->task.run = run_batch;
	batch->task.done = batch_done;
	batch->facts_cache = facts_cache;
	batch->waiters_end = &batch->waiters;
	facts_cache->collecting = batch;
	return batch;
}

/* The party that the next question is of: neighbours mostly have one holder. -ENOMEM. */
static int add_party(struct batch *batch, const struct mapping *mapping)
{
	struct facts_cache *facts_cache = batch->facts_cache;
	const struct process *process = mapping_process(mapping);
	pid_t pid = process ? process->pid : facts_cache->keeper;
	struct party *party = batch->parties ? batch->parties + batch->party_count : NULL;
	uint64_t *checked;

	if (batch->party_count && party[-1].pid == pid)
		return 0;
	if (array_reserve(batch->parties, &batch->party_room, batch->party_count + 1, 16))
		return -ENOMEM;
	party = &batch->parties[batch->party_count++];
	*party = (struct party){.pid = pid, .foreign = process, .first = batch->count};
	party->owner = process_info_get(*owner_of(facts_cache, mapping, &checked));
	party->stale = clock_now() - *checked >= FACTS_CACHE_FRESH;
	return 0;
}

/* -EBUSY: somebody is stuck in its process. */
static int add_question(struct batch *batch, struct mapping *mapping)
{
	const struct process *process = mapping_process(mapping);
	struct facts_query *query;

	if (process && stuck_threads_has(&batch->facts_cache->stuck_threads, process->pid))
		return -EBUSY;
	if (array_reserve(batch->questions, &batch->room, batch->count + 1, 64) ||
	    add_party(batch, mapping))
		return -ENOMEM;
	query = &batch->questions[batch->count++];
	*query = (struct facts_query){
		.number = mapping_number(mapping),
		.pid = batch->parties[batch->party_count - 1].pid,
		.foreign = mapping_process(mapping),
		.device = device_get(mapping_version(mapping)->device),
	};
	version_record(mapping_version(mapping), &query->record);
	mapping_set_queried(mapping, true);
	return 0;
}

int facts_cache_request(struct facts_cache *facts_cache, struct mapping *mapping, unsigned more,
			struct waiter *waiter)
{
	struct batch *batch = collecting(facts_cache);
	uint64_t now = clock_now();
	size_t place;
	int error = 0;

	if (!batch)
		return -ENOMEM;
	/*
	 * A mapping that is asked about already is in this batch or in the one that is being worked
	 * on; waiting for this one is right in both cases.
	 */
	if (!mapping_is_queried(mapping))
		error = add_question(batch, mapping);
	if (error)
		return error;
	catalog_after(facts_cache->catalog, mapping_number(mapping) - 1,
		      &place); /* the mapping itself */
	while (more-- && (mapping = catalog_next(facts_cache->catalog, &place)))
		if (!mapping_is_queried(mapping) && !facts_cache_is_fresh(mapping, now) &&
		    add_question(batch, mapping) == -ENOMEM)
			break;
	error = start(facts_cache);
	if (error || !waiter)
		return error;
	waiter->next = NULL; /* the thread does not look at the waiters */
	*batch->waiters_end = waiter;
	batch->waiters_end = &waiter->next;
	return 0;
}

/* Leaves the batch behind that is stuck. Its mappings can be asked about again. */
static void abandon(struct facts_cache *facts_cache)
{
	struct facts_reader *facts_reader = facts_reader_new();
	struct batch *batch = facts_cache->working;
	struct mapping *mapping;

	if (!facts_reader || !stuck_threads_leave(&facts_cache->stuck_threads, batch->progress.at,
						  "what is shown of it may be out of date")) {
		facts_reader_free(facts_reader);
		return;
	}
	facts_cache->facts_reader = facts_reader;
	batch->abandoned = true;
	facts_cache->working = NULL;
	for (size_t i = 0; i < batch->count; i++) {
		mapping = catalog_find_number(facts_cache->catalog, batch->questions[i].number);
		if (mapping)
			mapping_set_queried(mapping, false);
	}
	start(facts_cache);
}

uint64_t facts_cache_expire(struct facts_cache *facts_cache, uint64_t now)
{
	struct batch *batch = facts_cache->working;
	enum progress_state state;
	struct waiter *waiters;
	uint64_t next;

	if (!batch)
		return UINT64_MAX;
	if (now < progress_due(&batch->progress))
		return progress_due(&batch->progress);
	state = progress_check(&batch->progress,
			       atomic_load_explicit(&batch->at, memory_order_relaxed), now);
	next = progress_due(&batch->progress);
	if (state == PROGRESS_NORMAL)
		return next;
	/* Better what is known than nothing. */
	waiters = take_waiters(batch);
	if (state == PROGRESS_STUCK && batch->progress.at != facts_cache->keeper)
		abandon(facts_cache);
	waiters_wake(&waiters);
	if (facts_cache->collecting) {
		waiters = take_waiters(facts_cache->collecting);
		waiters_wake(&waiters);
	}
	return next;
}

struct process_info *facts_cache_keeper(const struct facts_cache *facts_cache)
{
	return facts_cache->owner;
}

void facts_cache_free(struct facts_cache *facts_cache)
{
	if (!facts_cache)
		return;
	if (facts_cache->collecting)
		batch_free(facts_cache->collecting);
	facts_reader_free(facts_cache->facts_reader);
	process_info_put(facts_cache->owner);
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
	facts_cache->owner = proc_process_info(keeper, NULL);
	facts_cache->owner_checked = clock_now();
	facts_cache->facts_reader = facts_reader_new();
	if (!facts_cache->owner || !facts_cache->facts_reader) {
		facts_cache_free(facts_cache);
		return NULL;
	}
	return facts_cache;
}
