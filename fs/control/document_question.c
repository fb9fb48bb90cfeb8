/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document_question.c - see document_question.h
 */
#include "control/document_question.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/time_quota.h"
#include "catalog/catalog.h"
#include "change/completion.h"
#include "control/document_stream.h"
#include "control/list_terms.h"
#include "control/mapping_filter.h"
#include "control/question.h"
#include "control/rights.h"
#include "facts/facts_cache.h"
#include "scan/process_table.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FACTS_AHEAD      1024 /* how many mappings have their facts read together */
#define MAPPINGS_AT_ONCE 64   /* that are looked at, between two looks at the clock */

static struct question *question_of(struct waiter *waiter)
{
	return container_of(waiter, struct question, documents.waiter);
}

/* A peer that may not enter the directory may read none of its files. */
static unsigned mode_for(const struct question *question)
{
	return question_may_use_root(question, S_IXOTH) ? question->means->mode : 0;
}

static json_t *answer_of(const struct question *question)
{
	const struct document_question *documents = &question->documents;
	struct document_counts counts = document_stream_counts(documents->stream);
	uint64_t gone = question->looked ? counts.removed - question->removed : 0;
	json_t *answer = json_pack("{s:i, s:I, s:I}", "errno", 0, "count", (json_int_t)counts.count,
				   "gone", (json_int_t)gone);

	if (documents->terms.column_count)
		json_object_set_new(answer, "columns", json_integer(COLUMNS_VERSION));
	if (documents->terms.filter) {
		json_object_set_new(answer, "hidden", json_integer((json_int_t)counts.hidden));
		json_object_set_new(answer, "undecided",
				    json_integer((json_int_t)counts.undecided));
	}
	return answer;
}

static struct document_stream *begin_stream(struct question *question)
{
	struct rights rights;

	rights_get(&rights, &question->peer, question->socket);
	return document_stream_new(question->streams, question->means->catalog, &rights,
				   mode_for(question), &question->documents.terms);
}

/* The stream has collected what it is to send, or could not. */
static void answer_with_stream(struct question *question, int error)
{
	if (!error) {
		question->documents.answered = true;
		question->answer(question, answer_of(question));
		return;
	}
	document_question_clear(&question->documents);
	question_answer(question, ENOMEM, "out of memory");
}

/*
 * When a wait is over, the request loop works for the peer's user, as when it reads a packet of
 * the connection.
 */
static void go_on(struct waiter *waiter)
{
	struct question *question = question_of(waiter);
	struct quota *loop_time = question->means->loop_time;
	struct user_quota *user = quota_of(loop_time, question->peer.uid);
	uint64_t begun = clock_now(), now;

	question->documents.step(waiter);
	now = clock_now();
	if (user)
		quota_charge(loop_time, user, now, now - begun);
}

/* Whether the facts of the mapping are older than the question. */
static bool is_stale(const struct document_question *documents, const struct mapping *mapping)
{
	return !facts_cache_is_fresh(mapping, documents->begun) &&
	       mapping_checked(mapping) < documents->begun;
}

static bool answers_nobody(struct question *question)
{
	if (!question->abandoned)
		return false;
	question_answer(question, ECANCELED, "nobody waits for it");
	return true;
}

/* A portion in each round of the loop. */
static void collect(struct waiter *waiter)
{
	struct question *question = question_of(waiter);
	int error;

	if (answers_nobody(question))
		return;
	error = document_stream_collect(question->documents.stream);
	if (error == -EAGAIN)
		document_streams_pause(question->streams, waiter);
	else
		answer_with_stream(question, error);
}

static void take_all(struct waiter *waiter)
{
	struct question *question = question_of(waiter);

	if (answers_nobody(question))
		return;
	if (!document_streams_have_room(question->streams, question->peer.uid)) {
		document_streams_wait(question->streams, waiter);
		return;
	}
	question->documents.stream = begin_stream(question);
	if (!question->documents.stream) {
		answer_with_stream(question, -ENOMEM);
		return;
	}
	question->documents.step = collect;
	collect(waiter);
}

/* Has the facts of the mapping read. Returns whether the waiter will be woken. */
static bool wait_for_facts(struct question *question, struct mapping *mapping)
{
	struct document_question *documents = &question->documents;
	struct facts_cache *facts_cache = question->means->facts_cache;

	if (documents->late) {
		facts_cache_give_up(facts_cache, mapping);
		return false;
	}
	return !facts_cache_request(facts_cache, mapping, FACTS_AHEAD, &documents->waiter);
}

/* A peer gets only the names of mappings whose documents it may not read. */
static bool needs_facts(const struct document_question *documents, const struct rights *rights,
			unsigned mode, const struct version *version)
{
	return rights_allow_version(rights, version, mode) &&
	       list_terms_need_facts(&documents->terms, version);
}

enum pass {
	PASS_ENDED,  /* all mappings have been passed */
	PASS_WAITS,  /* for facts: the waiter will be woken */
	PASS_PAUSES, /* this round of the loop has lasted long enough */
};

/* Has the next facts of this pass read. */
static enum pass pass_on(struct question *question, uint64_t until)
{
	struct document_question *documents = &question->documents;
	const struct catalog *catalog = question->means->catalog;
	unsigned mode = mode_for(question), count = 0;
	enum pass pass = PASS_ENDED;
	struct mapping *mapping;
	struct rights rights;
	size_t place;

	rights_get(&rights, &question->peer, question->socket);
	for (mapping = catalog_after(catalog, documents->number, &place);
	     mapping && pass == PASS_ENDED; mapping = catalog_next(catalog, &place)) {
		documents->number = mapping_number(mapping);
		if (is_stale(documents, mapping) &&
		    needs_facts(documents, &rights, mode, mapping_version(mapping)) &&
		    wait_for_facts(question, mapping))
			pass = PASS_WAITS;
		else if (++count % MAPPINGS_AT_ONCE == 0 && clock_now() >= until)
			pass = PASS_PAUSES;
	}
	rights_clear(&rights);
	return pass;
}

/*
 * Has the facts of all mappings read that need them, a thousand at a time, and as long as there is
 * time in this round of the loop, so that others get their turn. A second pass has the facts read
 * of mappings that are new or have changed meanwhile; there is no third.
 */
static void read_all_facts(struct waiter *waiter)
{
	struct question *question = question_of(waiter);
	struct document_question *documents = &question->documents;
	uint64_t now = clock_now(), until = now + DOCUMENT_STREAMS_ROUND;
	enum pass pass;

	if (answers_nobody(question))
		return;
	if (documents->waits)
		documents->late |= now - waiter->since >= FACTS_CACHE_PATIENCE;
	pass = pass_on(question, until);
	if (pass == PASS_ENDED && documents->waited && !documents->second) {
		documents->second = true;
		documents->number = 0;
		pass = pass_on(question, until);
	}
	documents->waits = pass == PASS_WAITS;
	documents->waited |= documents->waits;
	if (pass == PASS_PAUSES)
		document_streams_pause(question->streams, waiter);
	if (pass != PASS_ENDED)
		return;
	documents->step = take_all;
	take_all(waiter);
}

void document_question_list(struct question *question, const struct list_terms *terms)
{
	struct document_question *documents = &question->documents;
	struct list_terms refused = *terms;

	if (!question_may_use_root(question, S_IROTH)) {
		list_terms_clear(&refused);
		question_answer(question, EACCES, "you may not list the mappings");
		return;
	}
	*documents = (struct document_question){
		.waiter.wake = go_on,
		.step = read_all_facts,
		.terms = *terms,
		.begun = clock_now(),
	};
	read_all_facts(&documents->waiter);
}

static void take_one(struct waiter *waiter)
{
	struct question *question = question_of(waiter);
	struct document_question *documents = &question->documents;
	struct mapping *mapping = catalog_find(question->means->catalog, documents->name);
	char why[COMPLETION_WHY_LENGTH];

	if (mapping) {
		documents->stream = begin_stream(question);
		answer_with_stream(question, documents->stream
						     ? document_stream_add(documents->stream,
									   mapping_version(mapping))
						     : -ENOMEM);
		return;
	}
	snprintf(why, sizeof(why), "%s: no such mapping", documents->name);
	document_question_clear(documents);
	question_answer(question, ENOENT, why);
}

/* Waits for the facts as a look-up of the file does. */
static void read_one(struct waiter *waiter)
{
	struct question *question = question_of(waiter);
	struct document_question *documents = &question->documents;
	struct mapping *mapping = catalog_find(question->means->catalog, documents->name);

	documents->step = take_one;
	if (!mapping || !is_stale(documents, mapping) ||
	    facts_cache_request(question->means->facts_cache, mapping, 0, waiter))
		take_one(waiter);
}

void document_question_show(struct question *question, char *name)
{
	struct document_question *documents = &question->documents;
	struct process_table *process_table = question->means->process_table;

	if (!question_may_use_root(question, S_IXOTH)) {
		question_answer(question, EACCES, "you may not read the mappings");
		free(name);
		return;
	}
	*documents = (struct document_question){
		.waiter.wake = go_on,
		.step = read_one,
		.name = name,
		.begun = clock_now(),
	};
	if (process_table_scan_name(process_table, question->peer.uid, name, &documents->waiter))
		read_one(&documents->waiter);
}

void document_question_clear(struct document_question *documents)
{
	if (documents->stream)
		document_stream_free(documents->stream);
	list_terms_clear(&documents->terms);
	free(documents->name);
	*documents = (struct document_question){0};
}
