/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * changes.c - see changes.h
 */
#include "change/changes.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/errors.h"
#include "base/extents.h"
#include "base/log.h"
#include "catalog/catalog.h"
#include "catalog/events.h"
#include "change/failure.h"
#include "change/hold_up.h"
#include "change/keeper_link.h"
#include "change/release.h"
#include "protocol/command.h"
#include "protocol/request.h"
#include "receive/message.h"
#include "receive/receivers.h"
#include "scan/process_table.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An unmap, of the whole or of a range, or a rename. */
struct change_job {
	struct keeper_call call;
	const struct changes *changes;
	uint64_t number;
	uid_t uid;
	struct mapping *reserved; /* of a rename */
	struct release *release;  /* of another process's mapping */
	struct change_job **handle;
	completion *finished; /* NULL: answered already */
	void *arg;
	bool holds_up;          /* others wait as well */
	struct receive closing; /* of the file, which is no longer mapped */
	uid_t owner;            /* of the mapping */
	uint64_t closed_by;     /* clock_now() after which its closing holds others up */
};

/* That a closing may take without being counted as a hold-up. */
#define CLOSE_TIME (CLOCK_SECOND / 100)

/* What the changes are called in events and in messages. */
static const struct change_words {
	const char *operation, *text;
} change_words[] = {
	[COMMAND_UNMAP] = {"unmap", "unmap"},
	[COMMAND_UNMAP_RANGE] = {"unmap_range", "unmap a part"},
	[COMMAND_LABEL] = {"rename", "rename"},
};

/* Calls `finished`, once. */
static __attribute__((__format__(__printf__, 3, 4))) void
change_answer(struct change_job *job, int error, const char *format, ...)
{
	struct mapping *mapping = catalog_find_number(job->changes->catalog, job->number);
	const char *name = mapping ? mapping_name(mapping) : "";
	const struct change_words *words = &change_words[job->call.command.op];
	char reason[400], why[COMPLETION_WHY_LENGTH] = "";
	completion *finished = job->finished;
	va_list args;

	if (!finished)
		return;
	if (error) {
		va_start(args, format);
		vsnprintf(reason, sizeof(reason), format, args);
		va_end(args);
		snprintf(why, sizeof(why), "%s: cannot %s: %s", name, words->text, reason);
		failure_report(job->changes->events, words->operation, name, job->uid, error, why);
	}
	job->finished = NULL;
	finished(job->arg, error, why);
}

static void change_overdue(struct keeper_call *call)
{
	change_answer(container_of(call, struct change_job, call), EBUSY,
		      "the keeper has not done it in time");
}

static void show_unmapped(struct change_job *job, struct mapping *mapping)
{
	const struct changes *changes = job->changes;
	bool late = !job->finished;

	events_unmapped(changes->events, mapping);
	if (late)
		changes->name_changed(changes->arg, mapping_name(mapping));
	log_debug("%s: unmapped%s", mapping_name(mapping), late ? ", late" : "");
	catalog_remove(changes->catalog, mapping);
	change_answer(job, 0, "%s", "");
}

/* Where the last page of the range ends, in bytes from the start of the mapping. */
static uint64_t range_end(const struct mapping *mapping, const struct command *command)
{
	uint64_t page = extents_whole(1), whole, end;
	struct pmem2fs_record record;

	version_record(mapping_version(mapping), &record);
	if (record.alignment > page)
		page = record.alignment;
	whole = extents_whole(record.length);
	if (command->offset >= whole || command->length >= whole - command->offset)
		return whole;
	end = command->offset + (command->length + page - 1) / page * page;
	return end < whole ? end : whole;
}

/* A document with more parts would be longer than a request may be (REQUEST_MAX_BYTES). */
static int check_parts(const struct mapping *mapping, char why[COMPLETION_WHY_LENGTH])
{
	const struct extents *extents = mapping_version(mapping)->extents;

	if (!extents || extents->count < EXTENTS_MAX)
		return 0;
	snprintf(why, COMPLETION_WHY_LENGTH, "it has %u parts already", EXTENTS_MAX);
	return ENOSPC;
}

/* Whether the command unmaps all that is left. */
static bool is_last(const struct mapping *mapping, const struct command *command)
{
	const struct extents *extents = mapping_version(mapping)->extents;
	uint64_t end = range_end(mapping, command);
	struct pmem2fs_record record;

	version_record(mapping_version(mapping), &record);
	if (!extents)
		return !command->offset && end == extents_whole(record.length);
	for (size_t i = 0; i < extents->count; i++)
		if (extents->list[i].offset < command->offset ||
		    extents->list[i].offset + extents->list[i].length > end)
			return false;
	return true;
}

/* Whether the command makes two areas of one. */
static bool makes_area(const struct mapping *mapping, const struct command *command)
{
	struct pmem2fs_record record;

	version_record(mapping_version(mapping), &record);
	return command->op == COMMAND_UNMAP_RANGE &&
	       extents_split(mapping_version(mapping)->extents, extents_whole(record.length),
			     command->offset, range_end(mapping, command));
}

static void show_unmapped_range(struct change_job *job, struct mapping *mapping)
{
	const struct command *command = &job->call.command;
	const struct changes *changes = job->changes;
	uint64_t end = range_end(mapping, command);

	mapping_set_changing(mapping, false);
	if (catalog_cut(changes->catalog, mapping, command->offset, end)) {
		log_of_user(LOG_TOPIC_DAEMON, job->uid, LOG_ERR,
			    "%s: out of memory: what was unmapped shows late",
			    mapping_name(mapping));
		mapping_set_unchecked(mapping);
	}
	events_unmapped_range(changes->events, mapping, command->offset, end - command->offset);
	changes->name_changed(changes->arg, mapping_name(mapping));
	log_debug("%s: unmapped %" PRIu64 " bytes at offset %" PRIu64, mapping_name(mapping),
		  end - command->offset, command->offset);
	change_answer(job, 0, "%s", "");
}

static void show_renamed(struct change_job *job, struct mapping *mapping)
{
	const struct changes *changes = job->changes;
	char *old_name = strdup(mapping_name(mapping));

	mapping_set_changing(mapping, false);
	if (!old_name || catalog_rename(changes->catalog, mapping, job->reserved)) {
		catalog_remove(changes->catalog, job->reserved);
		change_answer(job, ENOMEM, "out of memory");
	} else {
		events_renamed(changes->events, mapping, old_name);
		if (!job->finished) /* the kernel was answered EBUSY */
			changes->name_changed(changes->arg, old_name);
		/* Otherwise the kernel keeps the old document under the new name for a second. */
		changes->name_changed(changes->arg, mapping_name(mapping));
		change_answer(job, 0, "%s", "");
	}
	free(old_name);
}

/* The keeper has done it. Frees the job. */
static void show_change(struct change_job *job)
{
	struct mapping *mapping = catalog_find_number(job->changes->catalog, job->number);

	switch (job->call.command.op) {
	case COMMAND_UNMAP:
		show_unmapped(job, mapping);
		break;
	case COMMAND_UNMAP_RANGE:
		show_unmapped_range(job, mapping);
		break;
	default:
		show_renamed(job, mapping);
	}
	free(job);
}

static void log_unclosed(const struct change_job *job)
{
	log_of_user(LOG_TOPIC_REQUESTS, job->owner, LOG_INFO,
		    "%s: unmapped, but its file is not closed yet",
		    mapping_name(catalog_find_number(job->changes->catalog, job->number)));
}

static void file_closed(struct receive *receive, const struct receive_result *result,
			const char *packet, int fd)
{
	struct change_job *job = container_of(receive, struct change_job, closing);
	uint64_t now = clock_now();

	(void)packet;
	(void)fd;
	if (job->holds_up && now > job->closed_by)
		hold_up_charge(job->changes->hold_up, HOLD_UP_RM, job->owner, job->closed_by, now);
	if (result->size)
		log_unclosed(job);
	show_change(job);
}

/* Called when the file is no longer mapped. */
static void close_file(struct change_job *job, int fd)
{
	const struct changes *changes = job->changes;
	const struct mapping *mapping = catalog_find_number(changes->catalog, job->number);
	uint64_t now = clock_now();
	uint64_t until = now + CLOSE_PATIENCE;
	struct pmem2fs_record record;

	if (until < job->call.answer_by)
		until = job->call.answer_by;
	version_record(mapping_version(mapping), &record);
	job->owner = record.uid;
	job->closed_by = now + CLOSE_TIME;
	job->closing.received = file_closed;
	if (job->finished &&
	    (!job->holds_up || hold_up_may(changes->hold_up, HOLD_UP_RM, job->owner, now))) {
		receivers_close_file(changes->receivers, fd, job->owner, until, &job->closing);
	} else {
		log_unclosed(job);
		receivers_close_file(changes->receivers, fd, job->owner, 0, NULL);
		show_change(job);
	}
}

static void change_answered(struct keeper_call *call, const struct command_reply *reply, int fd)
{
	struct change_job *job = container_of(call, struct change_job, call);
	struct mapping *mapping = catalog_find_number(job->changes->catalog, job->number);

	if (reply->error) {
		mapping_set_changing(mapping, false);
		if (call->command.op == COMMAND_UNMAP_RANGE)
			mapping_set_unchecked(mapping); /* some pieces of it may be gone */
		if (job->reserved)
			catalog_remove(job->changes->catalog, job->reserved);
		if (reply->error == -ETIMEDOUT)
			change_answer(job, EBUSY, "the keeper was busy");
		else
			change_answer(job, errors_to_errno(reply->error), "%s", reply->message);
		free(job);
	} else if (fd >= 0) {
		close_file(job, fd);
	} else {
		show_change(job);
	}
}

static void release_finished(void *arg, int error, const char *why)
{
	struct change_job *job = arg;

	if (job->handle)
		*job->handle = NULL;
	change_answer(job, error, "%s", why);
	free(job);
}

/* A mapping of another process, which alone can unmap it. */
static void change_foreign(struct change_job *job, struct mapping *mapping, uint64_t patience)
{
	const struct process *process = mapping_process(mapping);
	int pid = (int)process->pid;

	if (mapping_version(mapping)->origin != ORIGIN_PUBLISHED) {
		change_answer(
			job, EPERM,
			"it is only observed: %d (%s) maps it by other means than this library",
			pid, process->comm);
	} else if (job->call.command.op != COMMAND_UNMAP) {
		change_answer(job, EPERM, "only %d (%s), which published it, can do that", pid,
			      process->comm);
	} else if (mapping_observer(mapping)) {
		change_answer(job, EBUSY, "%d (%s) is being asked for it already", pid,
			      process->comm);
	} else {
		if (job->handle)
			*job->handle = job;
		release_begin(job->changes->releases, mapping, patience, release_finished, job,
			      &job->release);
		return;
	}
	free(job);
}

void changes_withdraw(struct change_job *job)
{
	release_withdraw(job->release);
	*job->handle = NULL;
	free(job);
}

/* All changes begin with the same checks. `new_name` is that of a rename, else NULL. */
static void begin_change(const struct changes *changes, struct mapping *mapping,
			 const struct command *wanted, const char *new_name, uid_t uid,
			 uint64_t patience, completion *finished, void *arg,
			 struct change_job **handle)
{
	struct change_job *job = calloc(1, sizeof(*job));
	uint64_t now = clock_now();
	struct pmem2fs_record record;
	char why[COMPLETION_WHY_LENGTH];
	int error;

	if (!job) {
		finished(arg, ENOMEM, "out of memory");
		return;
	}
	version_record(mapping_version(mapping), &record);
	*job = (struct change_job){
		.call = {.command = *wanted,
			 .fd = -1,
			 .answer_by = now + patience,
			 .answered = change_answered,
			 .overdue = change_overdue},
		.changes = changes,
		.number = mapping_number(mapping),
		.uid = uid,
		.handle = handle,
		.finished = finished,
		.arg = arg,
		.holds_up = patience <= SHORT_PATIENCE,
	};
	job->call.command.slot = mapping_slot(mapping);
	/* To begin a little earlier than it must have ended. */
	job->call.command.deadline = now + patience / 10 * 8;
	if (uid && uid != record.uid) {
		change_answer(job, EPERM, "it belongs to user %u", record.uid);
	} else if (mapping_process(mapping)) {
		change_foreign(job, mapping, patience);
		return;
	} else if (mapping_is_changing(mapping)) {
		change_answer(job, EBUSY, "another change of it is under way");
	} else if (makes_area(mapping, wanted) &&
		   ((error = check_parts(mapping, why)) ||
		    (error = limits_check(changes->limits, changes->catalog, uid, why)))) {
		change_answer(job, error, "%s", why);
	} else if (new_name && (error = catalog_reserve(changes->catalog, new_name, record.uid,
							&job->reserved))) {
		change_answer(job, -error, "%s: %s", new_name,
			      error == -EEXIST ? "the name is taken" : strerror(-error));
	} else if (keeper_link_stuck(changes->keeper)) {
		if (job->reserved)
			catalog_remove(changes->catalog, job->reserved);
		change_answer(job, EBUSY, "the keeper does not answer");
	} else {
		job->call.command.last =
			wanted->op == COMMAND_UNMAP_RANGE && is_last(mapping, wanted);
		mapping_set_changing(mapping, true);
		keeper_link_call(changes->keeper, &job->call);
		return;
	}
	free(job);
}

void changes_unmap(const struct changes *changes, struct mapping *mapping, uid_t uid,
		   uint64_t patience, completion *finished, void *arg, struct change_job **handle)
{
	const struct command wanted = {.op = COMMAND_UNMAP};

	begin_change(changes, mapping, &wanted, NULL, uid, patience, finished, arg, handle);
}

void changes_unmap_range(const struct changes *changes, struct mapping *mapping, uint64_t offset,
			 uint64_t length, uid_t uid, uint64_t patience, completion *finished,
			 void *arg)
{
	struct command wanted = {.op = COMMAND_UNMAP_RANGE, .offset = offset, .length = length};
	struct pmem2fs_record record;

	version_record(mapping_version(mapping), &record);
	if (length == CHANGES_TO_THE_END) /* there is no rest: one byte beyond the end */
		wanted.length = offset < record.length ? record.length - offset : 1;
	begin_change(changes, mapping, &wanted, NULL, uid, patience, finished, arg, NULL);
}

void changes_rename(const struct changes *changes, struct mapping *mapping, const char *name,
		    uid_t uid, uint64_t patience, completion *finished, void *arg)
{
	struct command wanted = {.op = COMMAND_LABEL, .label_length = (uint8_t)strlen(name)};

	memcpy(wanted.label, name, strlen(name));
	begin_change(changes, mapping, &wanted, name, uid, patience, finished, arg, NULL);
}
