/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * witness.c - see witness.h
 *
 * Two batches of questions exist at most: the one that the thread works on and the one that
 * collects. The thread sees its batch and the examiner; the name space, the holders and their
 * owners are the loop's. A batch that gets stuck in a process is left behind with its examiner.
 */
#include "facts/witness.h"
#include "base/lanes.h"
#include "base/log.h"
#include "facts/examine.h"
#include "host/proc.h"
#include "scan/process_table.h"
#include "service.h"
#include <errno.h>
#include <stdlib.h>

#define CHECK       (CLOCK_SECOND / 2)
#define PATIENCE    (2 * CLOCK_SECOND) /* with one process */
#define STUCK_AFTER (4 * CLOCK_SECOND) /* at one process */

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
	struct task task; /* first */
	struct witness *witness;
	struct examiner *examiner;
	struct progress progress;
	_Atomic pid_t at; /* the process that is being looked at just now */
	unsigned lane;
	bool abandoned;
	uint64_t begun;
	uint64_t newest; /* number of a mapping; all up to it were there when this was begun */
	size_t count, room;
	struct question *questions;
	size_t party_count, party_room;
	struct party *parties;
	struct waiter *waiters, **waiters_end;
};

struct witness {
	struct name_space *names;
	struct events *events;
	struct pool *pool;
	pid_t keeper;
	struct lanes lanes;
	struct batch *working, *collecting;
	struct process_info *owner;
	uint64_t owner_checked;
	struct examiner *examiner;
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
		examine(batch->examiner, &batch->questions[q]);
		batch->questions[q].facts.owner = process_info_get(party->owner);
	}
	party->changed = party->foreign && !proc_is(party->pid, party->owner);
}

static void run_batch(struct task *task)
{
	struct batch *batch = (struct batch *)task;

	batch->begun = clock_now();
	examiner_begin(batch->examiner, batch->newest);
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
static struct process_info **owner_of(struct witness *witness, const struct mapping *mapping,
				      uint64_t **checked)
{
	struct process *process = mapping->foreign.process;

	*checked = process ? &process->owner_checked : &witness->owner_checked;
	return process ? &process->owner : &witness->owner;
}

/* What was found out about the mappings of a party. */
static void learn(struct batch *batch, size_t i)
{
	struct witness *witness = batch->witness;
	const struct party *party = &batch->parties[i];
	struct mapping *mapping;
	struct process_info **owner;
	uint64_t *checked;

	for (size_t q = party->first; q < party_end(batch, i); q++) {
		struct question *question = &batch->questions[q];

		mapping = namespace_find_number(witness->names, question->number);
		if (!mapping)
			continue;
		mapping->asked = false;
		if (party->changed)
			continue;
		if (namespace_learn(witness->names, mapping, &question->facts, question->looked))
			events_changed(witness->events, mapping);
		owner = owner_of(witness, mapping, &checked);
		if (party->stale && *checked != batch->begun) {
			process_info_put(*owner);
			*owner = process_info_get(party->owner);
			*checked = batch->begun;
		}
	}
}

static int start(struct witness *witness);

static void wake_all(struct waiter *waiter)
{
	struct waiter *next;

	for (; waiter; waiter = next) {
		next = waiter->next;
		waiter->wake(waiter);
	}
}

static struct waiter *take_waiters(struct batch *batch)
{
	struct waiter *waiters = batch->waiters;

	batch->waiters = NULL;
	batch->waiters_end = &batch->waiters;
	return waiters;
}

static void batch_done(struct task *task)
{
	struct batch *batch = (struct batch *)task;
	struct witness *witness = batch->witness;
	struct waiter *waiters = take_waiters(batch);

	if (batch->abandoned) {
		lanes_return(&witness->lanes, batch->lane);
		examiner_free(batch->examiner);
		batch_free(batch);
		return;
	}
	witness->working = NULL;
	for (size_t i = 0; i < batch->party_count; i++)
		learn(batch, i);
	batch_free(batch);
	if (start(witness)) { /* better old facts than none */
		*witness->collecting->waiters_end = waiters;
		waiters = take_waiters(witness->collecting);
	}
	wake_all(waiters);
}

/* Has the batch that was collected worked on, unless one is. */
static int start(struct witness *witness)
{
	struct batch *batch = witness->collecting;
	int error;

	if (witness->working || !batch)
		return 0;
	batch->newest = namespace_newest(witness->names);
	batch->examiner = witness->examiner;
	batch->lane = witness->lanes.now;
	batch->task.lane = LANE_WITNESS + batch->lane;
	progress_begin(&batch->progress, clock_now());
	error = pool_submit(witness->pool, &batch->task);
	if (error) {
		log_error("no thread to look at the mappings with");
		return error;
	}
	witness->working = batch;
	witness->collecting = NULL;
	return 0;
}

static struct batch *collecting(struct witness *witness)
{
	struct batch *batch = witness->collecting;

	if (batch)
		return batch;
	batch = calloc(1, sizeof(*batch));
	if (!batch)
		return NULL;
	batch->task.run = run_batch;
	batch->task.done = batch_done;
	batch->witness = witness;
	batch->waiters_end = &batch->waiters;
	witness->collecting = batch;
	return batch;
}

/* The party that the next question is of: neighbours mostly have one holder. -ENOMEM. */
static int add_party(struct batch *batch, const struct mapping *mapping)
{
	struct witness *witness = batch->witness;
	const struct process *process = mapping->foreign.process;
	pid_t pid = process ? process->pid : witness->keeper;
	struct party *party = batch->parties ? batch->parties + batch->party_count : NULL;
	uint64_t *checked;

	if (batch->party_count && party[-1].pid == pid)
		return 0;
	if (batch->party_count == batch->party_room) {
		size_t room = batch->party_room ? batch->party_room * 2 : 16;
		struct party *larger = realloc(batch->parties, room * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		batch->parties = larger;
		batch->party_room = room;
	}
	party = &batch->parties[batch->party_count++];
	*party = (struct party){.pid = pid, .foreign = process, .first = batch->count};
	party->owner = process_info_get(*owner_of(witness, mapping, &checked));
	party->stale = clock_now() - *checked >= WITNESS_FRESH;
	return 0;
}

/* -EBUSY: somebody is stuck in its process. */
static int add_question(struct batch *batch, struct mapping *mapping)
{
	const struct process *process = mapping->foreign.process;
	struct question *question;

	if (process && lanes_is_stuck(&batch->witness->lanes, process->pid))
		return -EBUSY;

	if (batch->count == batch->room) {
		size_t room = batch->room ? batch->room * 2 : 64;
		struct question *larger = realloc(batch->questions, room * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		batch->questions = larger;
		batch->room = room;
	}
	if (add_party(batch, mapping))
		return -ENOMEM;
	question = &batch->questions[batch->count++];
	*question = (struct question){
		.number = mapping->number,
		.pid = batch->parties[batch->party_count - 1].pid,
		.foreign = mapping->foreign.process,
		.device = device_get(mapping->version->device),
	};
	version_record(mapping->version, &question->record);
	mapping->asked = true;
	return 0;
}

int witness_ask(struct witness *witness, struct mapping *mapping, unsigned more,
		struct waiter *waiter)
{
	struct batch *batch = collecting(witness);
	uint64_t now = clock_now();
	size_t place;
	int error = 0;

	if (!batch)
		return -ENOMEM;
	/*
	 * A mapping that is asked about already is in this batch or in the one that is being worked
	 * on; waiting for this one is right in both cases.
	 */
	if (!mapping->asked)
		error = add_question(batch, mapping);
	if (error)
		return error;
	namespace_after(witness->names, mapping->number - 1, &place); /* the mapping itself */
	while (more-- && (mapping = namespace_next(witness->names, &place)))
		if (!mapping->asked && !witness_is_fresh(mapping, now) &&
		    add_question(batch, mapping) == -ENOMEM)
			break;
	error = start(witness);
	if (error || !waiter)
		return error;
	waiter->next = NULL; /* the thread does not look at the waiters */
	*batch->waiters_end = waiter;
	batch->waiters_end = &waiter->next;
	return 0;
}

/* Leaves the batch behind that is stuck. Its mappings can be asked about again. */
static void abandon(struct witness *witness)
{
	struct examiner *examiner = examiner_new();
	struct batch *batch = witness->working;
	struct mapping *mapping;

	if (!examiner || !lanes_leave(&witness->lanes, batch->progress.at)) {
		examiner_free(examiner);
		return;
	}
	log_error("process %d cannot be looked at: what is shown of it may be out of date",
		  (int)batch->progress.at);
	witness->examiner = examiner;
	batch->abandoned = true;
	witness->working = NULL;
	for (size_t i = 0; i < batch->count; i++) {
		mapping = namespace_find_number(witness->names, batch->questions[i].number);
		if (mapping)
			mapping->asked = false;
	}
	start(witness);
}

uint64_t witness_expire(struct witness *witness, uint64_t now)
{
	struct batch *batch = witness->working;
	struct progress *progress;
	struct waiter *waiters;

	if (!batch)
		return UINT64_MAX;
	progress = &batch->progress;
	if (now - progress->checked < CHECK)
		return progress->checked + CHECK;
	progress_see(progress, atomic_load_explicit(&batch->at, memory_order_relaxed), now);
	if (now - progress->at_since < PATIENCE)
		return now + CHECK;
	/* Better what is known than nothing. */
	waiters = take_waiters(batch);
	if (progress->at && progress->at != witness->keeper &&
	    now - progress->at_since >= STUCK_AFTER)
		abandon(witness);
	wake_all(waiters);
	if (witness->collecting)
		wake_all(take_waiters(witness->collecting));
	return now + CHECK;
}

struct process_info *witness_owner(const struct witness *witness)
{
	return witness->owner;
}

void witness_free(struct witness *witness)
{
	if (!witness)
		return;
	if (witness->collecting)
		batch_free(witness->collecting);
	examiner_free(witness->examiner);
	process_info_put(witness->owner);
	free(witness);
}

struct witness *witness_new(struct name_space *names, struct events *events, struct pool *pool,
			    pid_t keeper)
{
	struct witness *witness = calloc(1, sizeof(*witness));

	if (!witness)
		return NULL;
	witness->names = names;
	witness->events = events;
	witness->pool = pool;
	witness->keeper = keeper;
	witness->owner = proc_process_info(keeper, NULL);
	witness->owner_checked = clock_now();
	witness->examiner = examiner_new();
	if (!witness->owner || !witness->examiner) {
		witness_free(witness);
		return NULL;
	}
	return witness;
}
