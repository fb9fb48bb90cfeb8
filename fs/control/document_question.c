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

#define FACTS_AHEAD 1024 /* how many mappings have their facts read together */

static struct question *question_of(struct waiter *waiter)
{
	return container_of(waiter, struct question, documents.waiter);
}

/* Which versions are sent, and what is counted of the others. */
struct selection {
	const struct list_terms *terms;
	struct rights rights;
	unsigned mode;            /* of the files */
	size_t hidden, undecided; /* with a filter */
};

static void begin_selection(struct question *question, struct selection *selection)
{
	/* A peer that may not enter the directory may read none of its files. */
	bool may_enter = question_may_use_root(question, S_IXOTH);

	*selection = (struct selection){
		.terms = &question->documents.terms,
		.mode = may_enter ? question->means->mode : 0,
	};
	rights_get(&selection->rights, &question->peer, question->socket);
}

/* What a peer may not read, it shall not find out with a filter either. */
static bool is_selected(void *context, const struct version *version)
{
	struct selection *selection = context;
	enum mapping_match match;

	if (!selection->terms->filter)
		return true;
	if (!rights_allow_version(&selection->rights, version, selection->mode)) {
		selection->hidden++;
		return false;
	}
	match = mapping_filter_match(selection->terms->filter, version, true);
	selection->undecided += match == MATCH_UNDECIDED;
	return match == MATCH_YES;
}

static json_t *answer_of(const struct question *question, const struct selection *selection,
			 size_t count)
{
	uint64_t removed = catalog_removed(question->means->catalog);
	uint64_t gone = question->looked ? removed - question->removed : 0;
	json_t *answer = json_pack("{s:i, s:I, s:I}", "errno", 0, "count", (json_int_t)count,
				   "gone", (json_int_t)gone);

	if (selection->terms->column_count)
		json_object_set_new(answer, "columns", json_integer(COLUMNS_VERSION));
	if (selection->terms->filter) {
		json_object_set_new(answer, "hidden", json_integer((json_int_t)selection->hidden));
		json_object_set_new(answer, "undecided",
				    json_integer((json_int_t)selection->undecided));
	}
	return answer;
}

/* Takes ownership of the versions, the array, and what is in the selection. */
static void answer_with(struct question *question, struct selection *selection,
			struct version **versions, size_t count)
{
	struct document_question *documents = &question->documents;

	documents->stream =
		document_stream_new(question->streams, question->means->catalog, &selection->rights,
				    selection->mode, &documents->terms, versions, count);
	if (documents->stream) {
		question->answer(question, answer_of(question, selection, count));
	} else {
		document_question_clear(documents);
		question_answer(question, ENOMEM, "out of memory");
	}
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

static void take_all(struct waiter *waiter)
{
	struct question *question = question_of(waiter);
	struct selection selection;
	struct version **versions;
	size_t count;

	if (question->abandoned) {
		question_answer(question, ECANCELED, "nobody waits for it");
		return;
	}
	if (!document_streams_have_room(question->streams, question->peer.uid)) {
		document_streams_wait(question->streams, waiter);
		return;
	}
	begin_selection(question, &selection);
	if (!catalog_versions(question->means->catalog, is_selected, &selection, &versions,
			      &count)) {
		answer_with(question, &selection, versions, count);
		return;
	}
	rights_clear(&selection.rights);
	document_question_clear(&question->documents);
	question_answer(question, ENOMEM, "out of memory");
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
static bool needs_facts(const struct selection *selection, const struct version *version)
{
	return rights_allow_version(&selection->rights, version, selection->mode) &&
	       list_terms_need_facts(selection->terms, version);
}

/* Has the next facts of this pass read. Returns whether the waiter will be woken. */
static bool wait_for_next(struct question *question, const struct selection *selection)
{
	struct document_question *documents = &question->documents;
	const struct catalog *catalog = question->means->catalog;
	struct mapping *mapping;
	size_t place;

	for (mapping = catalog_after(catalog, documents->number, &place); mapping;
	     mapping = catalog_next(catalog, &place)) {
		documents->number = mapping_number(mapping);
		if (is_stale(documents, mapping) &&
		    needs_facts(selection, mapping_version(mapping)) &&
		    wait_for_facts(question, mapping))
			return true;
	}
	return false;
}

/*
 * Has the facts of all mappings read that need them, a thousand at a time, so that others get their
 * turn. A second pass has the facts read of mappings that are new or have changed meanwhile; there
 * is no third.
 */
static void read_all_facts(struct waiter *waiter)
{
	struct question *question = question_of(waiter);
	struct document_question *documents = &question->documents;
	struct selection selection;
	bool waits;

	if (question->abandoned) {
		question_answer(question, ECANCELED, "nobody waits for it");
		return;
	}
	if (documents->waited)
		documents->late |= clock_now() - waiter->since >= FACTS_CACHE_PATIENCE;
	begin_selection(question, &selection);
	waits = wait_for_next(question, &selection);
	if (!waits && documents->waited && !documents->second) {
		documents->second = true;
		documents->number = 0;
		waits = wait_for_next(question, &selection);
	}
	rights_clear(&selection.rights);
	documents->waited |= waits;
	if (waits)
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
	const char *name = question->documents.name;
	struct mapping *mapping = catalog_find(question->means->catalog, name);
	struct version **versions = mapping ? malloc(sizeof(*versions)) : NULL;
	char why[COMPLETION_WHY_LENGTH];
	struct selection selection;

	if (versions) {
		*versions = version_hold(mapping_version(mapping));
		begin_selection(question, &selection);
		answer_with(question, &selection, versions, 1);
		return;
	}
	snprintf(why, sizeof(why), "%s: %s", name, mapping ? "out of memory" : "no such mapping");
	document_question_clear(&question->documents);
	question_answer(question, mapping ? ENOMEM : ENOENT, why);
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
