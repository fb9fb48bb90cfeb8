/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * carry_out.c - see carry_out.h
 *
 * Decides only whether a question has the form of control.h and whether the peer may make mappings;
 * the modules that it calls decide the rest. Errors are positive errnos in answers and negative
 * ones everywhere else.
 */
#include "control/carry_out.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/escape.h"
#include "base/json_fields.h"
#include "catalog/catalog.h"
#include "catalog/events.h"
#include "change/changes.h"
#include "change/failure.h"
#include "change/mapper.h"
#include "control/document_question.h"
#include "control/list_terms.h"
#include "control/question.h"
#include "fuse/invalidate.h"
#include "mount/where.h"
#include "protocol/control.h"
#include "protocol/request.h"
#include "receive/message.h"
#include "receive/receivers.h"
#include "scan/process_table.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNMAP_SECONDS 10
#define TIMEOUT_MAX   86400.0

/*
 * Gives the keeper time to begin. A change with SHORT_PATIENCE or less is taken for an rm
 * (release.h), so this is more.
 */
#define PATIENCE_MIN (SHORT_PATIENCE + 1)

/* The bytes of the name in `json` under `key`, to be freed. NULL if it is no possible file name. */
static char *get_name(const json_t *json, const char *key)
{
	const char *encoding = json_string_value(json_object_get(json, "name_encoding"));
	const char *text = json_string_value(json_object_get(json, key));
	char *name;

	if (!text || (encoding && strcmp(encoding, "escaped")))
		return NULL;
	name = encoding ? escape_decode(text) : strdup(text);
	if (name && (!*name || strlen(name) > NAME_LENGTH_MAX || strchr(name, '/') ||
		     !strcmp(name, ".") || !strcmp(name, ".."))) {
		free(name);
		return NULL;
	}
	return name;
}

/* Runs in a thread of the pool, since the kernel may take long to list the mounts. */
static void find_mountpoint(struct task *task)
{
	struct question *question = container_of(task, struct question, hello);

	question->hello_error = mount_where(question->means->dev, question->means->mountpoint,
					    &question->mountpoint);
}

static void mountpoint_found(struct task *task)
{
	struct question *question = container_of(task, struct question, hello);
	json_t *message;

	if (question->hello_error) {
		question_answer(question, -question->hello_error,
				"cannot find out where the files are mounted");
		return;
	}
	message = json_pack("{s:i, s:s}", "errno", 0, "version", PMEM2FS_VERSION);
	json_field_bytes(message, "mountpoint", question->mountpoint);
	free(question->mountpoint);
	question->mountpoint = NULL;
	question->answer(question, message);
}

static void carry_out_hello(struct question *question)
{
	int error;

	question->hello = (struct task){
		.lane = question->means->lane,
		.run = find_mountpoint,
		.done = mountpoint_found,
	};
	error = pool_submit(question->means->pool, &question->hello);
	if (error)
		question_answer(question, -error, "no thread to find the mount with");
}

static void change_finished(void *arg, int error, const char *why)
{
	question_answer(arg, error, why);
}

/* -1: there is none. */
static void drop_descriptor(const struct question *question, int fd)
{
	if (fd >= 0)
		receivers_close_file(question->means->receivers, fd, question->peer.uid, 0, NULL);
}

static void carry_out_map(struct question *question, const json_t *json, int fd,
			  const struct receive_result *refused)
{
	char reason[REQUEST_WHY_LENGTH], why[COMPLETION_WHY_LENGTH];
	char *name = get_name(json, "name");
	struct request request;
	int error;

	if (!name) {
		question_answer(question, EINVAL, "bad request: \"name\" is no file name");
		goto close_fd;
	}
	if (!question_may_use_root(question, S_IWOTH | S_IXOTH)) {
		snprintf(why, sizeof(why), "%s: user %u may not make mappings (rootmode=)", name,
			 question->peer.uid);
		error = -EACCES;
		goto failed;
	}
	error = request_from_json(json_object_get(json, "map"), fd >= 0 || refused, &request,
				  reason);
	if (!error && refused) {
		request_clear(&request);
		snprintf(why, sizeof(why), "%s: cannot map %s: %s", name, refused->described,
			 refused->why);
		error = refused->refused;
		goto failed;
	}
	if (!error && !request.anonymous && fd < 0) {
		request_clear(&request);
		snprintf(reason, sizeof(reason), "no descriptor came with it");
		error = -EINVAL;
	}
	if (error) {
		snprintf(why, sizeof(why), "%s: bad request: %s", name, reason);
		goto failed;
	}
	mapper_map(question->means->mapper, name, &request, question->peer.uid, question->peer.gid,
		   NULL, fd, question->peer.pid, change_finished, question, &question->map_job);
	free(name);
	return;
failed:
	failure_report(question->means->events, "map", name, question->peer.uid, -error, why);
	question_answer(question, -error, why);
	free(name);
close_fd:
	drop_descriptor(question, fd);
}

static void unmap_finished(void *arg, int error, const char *why)
{
	struct question *question = arg;

	if (!error)
		invalidate_name(question->means->invalidate, question->name);
	free(question->name);
	question->name = NULL;
	question_answer(question, error, why);
}

/* The time to wait, in nanoseconds. False: `json` has no sensible timeout. */
static bool get_patience(const json_t *json, uint64_t *patience)
{
	const json_t *timeout = json_object_get(json, "timeout");
	double seconds = timeout ? json_number_value(timeout) : UNMAP_SECONDS;

	/* Before the conversion: what is refused may be too large for an integer. */
	if ((timeout && !json_is_number(timeout)) || !(seconds >= 0 && seconds <= TIMEOUT_MAX))
		return false;
	*patience = (uint64_t)(seconds * CLOCK_SECOND);
	if (*patience < PATIENCE_MIN)
		*patience = PATIENCE_MIN;
	return true;
}

/*
 * Finds the mapping that `json` names under `key`, and the time to wait for it. NULL: the question
 * has been answered with an error.
 */
static struct mapping *get_mapping(struct question *question, const json_t *json, const char *key,
				   uint64_t *patience)
{
	char *name = get_name(json, key);
	struct mapping *mapping = NULL;
	char why[COMPLETION_WHY_LENGTH];

	if (!name || !get_patience(json, patience)) {
		question_answer(question, EINVAL, "bad request: no name or no sensible timeout");
	} else {
		mapping = catalog_find(question->means->catalog, name);
		snprintf(why, sizeof(why), "%s: no such mapping", name);
		if (!mapping)
			question_answer(question, ENOENT, why);
	}
	free(name);
	return mapping;
}

static void carry_out_unmap(struct question *question, const json_t *json)
{
	struct mapping *mapping;
	uint64_t patience;

	mapping = get_mapping(question, json, "unmap", &patience);
	if (!mapping)
		return;
	question->name = strdup(mapping_name(mapping));
	if (!question->name) {
		question_answer(question, ENOMEM, "out of memory");
		return;
	}
	changes_unmap(question->means->changes, mapping, question->peer.uid, patience,
		      unmap_finished, question, &question->change_job);
}

static void carry_out_unmap_range(struct question *question, const json_t *json)
{
	const json_t *offset = json_object_get(json, "offset");
	const json_t *length = json_object_get(json, "length");
	struct mapping *mapping;
	uint64_t patience;

	/* Both are required: a missing key may be a misspelled one. */
	if (!json_is_integer(offset) || json_integer_value(offset) < 0 ||
	    !(json_is_null(length) ||
	      (json_is_integer(length) && json_integer_value(length) >= 0))) {
		question_answer(question, EINVAL, "bad request: no sensible offset or length");
		return;
	}
	mapping = get_mapping(question, json, "unmap_range", &patience);
	if (mapping)
		changes_unmap_range(question->means->changes, mapping,
				    (uint64_t)json_integer_value(offset),
				    json_is_null(length) ? CHANGES_TO_THE_END
							 : (uint64_t)json_integer_value(length),
				    question->peer.uid, patience, change_finished, question);
}

static void carry_out_events(struct question *question)
{
	events_subscribe(question->means->events, &question->subscriber);
	question->subscribed = true;
	question_answer(question, 0, NULL);
}

static void answer_look(struct waiter *waiter)
{
	struct question *question = container_of(waiter, struct question, dropped);

	question->answer(question,
			 json_pack("{s:i, s:b}", "errno", 0, "complete", question->complete));
}

/* Answers when the kernel has dropped the entries of mappings that have gone. */
static void user_scan_done(struct user_scan *scan, int error)
{
	struct question *question = container_of(scan, struct question, scan);
	const struct question_means *means = question->means;

	question->complete = process_table_complete(means->process_table);
	question->dropped.wake = answer_look;
	if (error)
		question_answer(question, -error, "out of memory");
	else if (invalidate_wait(means->invalidate, catalog_leftovers(means->catalog),
				 &question->dropped))
		answer_look(&question->dropped);
}

static void carry_out_look(struct question *question)
{
	question->scan = (struct user_scan){.uid = question->peer.uid, .done = user_scan_done};
	question->looked = true;
	question->removed = catalog_removed(question->means->catalog);
	process_table_scan_for_user(question->means->process_table, &question->scan);
}

static void carry_out_list(struct question *question, const json_t *json)
{
	const char *why;
	struct list_terms terms;
	int error = list_terms_read(json, &terms, &why);

	if (error)
		question_answer(question, -error, error == -ENOMEM ? "out of memory" : why);
	else
		document_question_list(question, &terms);
}

static void carry_out_documents(struct question *question, const json_t *json)
{
	bool list = json_object_get(json, "list");
	char *name = list ? NULL : get_name(json, "show");

	if (question->subscribed) {
		question_answer(question, EBUSY, "this connection gets events: ask on another one");
		free(name);
	} else if (list) {
		carry_out_list(question, json);
	} else if (name) {
		document_question_show(question, name);
	} else {
		question_answer(question, EINVAL, "bad request: \"show\" is no file name");
	}
}

void question_carry_out(struct question *question, const char *text, size_t length, int fd,
			const struct receive_result *refused)
{
	json_t *json = NULL;

	/* jansson would take a NUL behind a number for white space. */
	if (!memchr(text, '\0', length))
		json = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);

	if (json_object_get(json, "unmap") && json_object_get(json, "unmap_range")) {
		question_answer(question, EINVAL, "unmap and unmap_range are two questions");
	} else if (json_object_get(json, "map")) {
		carry_out_map(question, json, fd, refused);
		fd = -1;
	} else if (json_object_get(json, "unmap")) {
		carry_out_unmap(question, json);
	} else if (json_object_get(json, "unmap_range")) {
		carry_out_unmap_range(question, json);
	} else if (json_object_get(json, "look")) {
		carry_out_look(question);
	} else if (json_object_get(json, "list") || json_object_get(json, "show")) {
		carry_out_documents(question, json);
	} else if (json_object_get(json, "events")) {
		carry_out_events(question);
	} else if (json_object_get(json, "hello")) {
		carry_out_hello(question);
	} else {
		question_answer(question, EINVAL, "not a question that this daemon knows");
	}
	drop_descriptor(question, fd);
	json_decref(json);
}

bool question_abandon(struct question *question)
{
	bool abandoned = question->map_job || question->change_job || question->documents.answered;

	question->abandoned = true;
	events_unsubscribe(question->means->events, &question->subscriber);
	if (question->map_job)
		mapper_abandon(question->map_job);
	if (question->change_job)
		changes_withdraw(question->change_job);
	if (question->documents.answered)
		document_question_clear(&question->documents);
	return abandoned;
}

void question_clear(struct question *question)
{
	document_question_clear(&question->documents);
	free(question->name);
	question->name = NULL;
}
