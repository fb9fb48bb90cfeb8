/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapper.c - see mapper.h
 *
 * A mapping is made in three steps: a thread opens the source with the rights of the caller, the
 * keeper maps it, and its record, read from the keeper's table, is shown. The name is taken between
 * the first and the second, so that a source that hangs blocks nobody's name.
 */
#include "mapper.h"
#include "clock.h"
#include "errors.h"
#include "events.h"
#include "keeper_link.h"
#include "log.h"
#include "notify.h"
#include "opener.h"
#include "pool.h"
#include "witness.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct map_job {
	struct task task; /* first */
	struct keeper_call call;
	struct service *service;
	struct request request;
	struct identity *identity;
	int fd;
	pid_t peer;
	int error; /* of the thread, positive errno */
	char why[OPENER_WHY_LENGTH];
	struct mapping *reserved;
	struct map_job **handle;
	mapper_finished finished; /* NULL: abandoned */
	void *arg;
	uid_t uid;
	gid_t gid;
	char name[NAME_LENGTH_MAX + 1];
};

/* An unmap, of the whole or of a range, or a rename. */
struct change_job {
	struct keeper_call call; /* first */
	struct service *service;
	uint64_t number;
	uid_t uid;
	struct mapping *reserved; /* of a rename */
	mapper_finished finished; /* NULL: answered already */
	void *arg;
};

void mapper_failed(struct service *service, const char *operation, const char *name, uid_t uid,
		   int error, const char *why)
{
	log_warning("%s", why);
	events_failed(service->events, operation, name, uid, error, why);
}

static void job_free(struct map_job *job)
{
	if (job->fd >= 0)
		close(job->fd);
	request_clear(&job->request);
	free(job->identity);
	free(job);
}

/* Ends the job. `format` and so on say the reason of an error. */
static __attribute__((__format__(__printf__, 3, 4))) void job_end(struct map_job *job, int error,
								  const char *format, ...)
{
	char reason[400] = "", why[MAPPER_WHY_LENGTH] = "";
	const char *source = job->request.anonymous ? "anonymous memory" : job->request.path;
	va_list args;

	if (error) {
		va_start(args, format);
		vsnprintf(reason, sizeof(reason), format, args);
		va_end(args);
		snprintf(why, sizeof(why), "%s: cannot map%s%.800s: %s", job->name,
			 source ? " " : "", source ? source : "", reason);
		mapper_failed(job->service, "map", job->name, job->uid, error, why);
	}
	if (job->handle) /* whoever waits may free it as soon as it hears */
		*job->handle = NULL;
	if (job->finished)
		job->finished(job->arg, error, why);
	job_free(job);
}

/* A length that reaches the end of the file means "to the end", whatever that is aligned to. */
static void fit_length(struct map_job *job)
{
	struct stat st;

	if (fstat(job->fd, &st) || !S_ISREG(st.st_mode))
		return;
	if (job->request.length &&
	    job->request.offset + job->request.length == (uint64_t)st.st_size)
		job->request.length = 0;
}

static void open_source(struct task *task)
{
	struct map_job *job = (struct map_job *)task;
	bool write =
		job->request.sharing == PMEM2_SHARED && job->request.protection & PMEM2_PROT_WRITE;
	int result;

	if (job->fd >= 0) {
		job->request.path = opener_path(job->fd); /* for messages only */
		result = opener_check(job->fd, job->peer, job->why);
	} else {
		result = opener_open(job->identity, job->request.path, write, job->why);
		job->fd = result < 0 ? -1 : result;
	}
	if (result < 0)
		job->error = -result;
	else
		fit_length(job);
}

/* A mapping that is wanted by nobody, on its way back. */
struct return_job {
	struct keeper_call call; /* first */
	struct service *service;
	struct mapping *reserved; /* its name, which the keeper's table still has */
};

static void taken_back(struct keeper_call *call, const struct command_reply *reply)
{
	struct return_job *job = (struct return_job *)call;

	if (reply->error)
		log_error("%s: cannot take back a mapping that nobody waited for: %s",
			  mapping_name(job->reserved), reply->message);
	namespace_remove(job->service->names, job->reserved);
	free(job);
}

static void take_back(struct service *service, struct mapping *reserved, uint32_t slot)
{
	struct return_job *job = calloc(1, sizeof(*job));

	if (!job) {
		log_error("%s: out of memory: a mapping that nobody waited for stays",
			  mapping_name(reserved));
		return;
	}
	job->service = service;
	job->reserved = reserved;
	job->call = (struct keeper_call){
		.command = {.op = COMMAND_UNMAP, .slot = slot},
		.fd = -1,
		.answered = taken_back,
	};
	keeper_link_call(service->keeper, &job->call);
}

static void mapped(struct keeper_call *call, const struct command_reply *reply)
{
	struct map_job *job = (struct map_job *)((char *)call - offsetof(struct map_job, call));
	struct service *service = job->service;
	struct pmem2fs_record record;
	int error;

	if (reply->error) {
		namespace_remove(service->names, job->reserved);
		job_end(job, errors_to_errno(reply->error), "%s", reply->message);
		return;
	}
	error = job->finished ? pmem2fs_table_read(service->table, reply->slot, NULL, &record)
			      : -ECANCELED;
	if (!error)
		error = namespace_show(service->names, job->reserved, reply->slot, &record,
				       job->request.path, witness_owner(service->witness));
	if (error) {
		take_back(service, job->reserved, reply->slot);
		job_end(job, errors_to_errno(error),
			error == -ECANCELED ? "interrupted" : "cannot read the keeper's table: %s",
			strerror(errors_to_errno(error)));
		return;
	}
	clock_gettime(CLOCK_REALTIME, &service->changed);
	events_mapped(service->events, job->reserved);
	log_debug("%s: mapped", job->name);
	job_end(job, 0, "%s", "");
}

/* Whether that user may have one area more; else a positive errno, and why. */
static int check_room(struct service *service, uid_t uid, char why[MAPPER_WHY_LENGTH])
{
	const struct options *options = service->options;
	struct namespace_totals totals = namespace_totals(service->names);

	if (totals.entries + totals.reserved + totals.gaps >= options->max) {
		snprintf(why, MAPPER_WHY_LENGTH,
			 "all %u mappings are in use, gaps counted (option max=)", options->max);
		return ENOSPC;
	}
	if (uid && namespace_count_of(service->names, uid) >= options->max_user) {
		snprintf(why, MAPPER_WHY_LENGTH,
			 "user %u has %u mappings already, gaps counted (option max_user=)", uid,
			 options->max_user);
		return EDQUOT;
	}
	return 0;
}

static void ask_keeper(struct map_job *job)
{
	struct service *service = job->service;
	char why[MAPPER_WHY_LENGTH];
	struct command *command = &job->call.command;
	int error;

	error = check_room(service, job->uid, why);
	if (error) {
		job_end(job, error, "%s", why);
		return;
	}
	error = namespace_reserve(service->names, job->name, job->uid, &job->reserved);
	if (error) {
		job_end(job, -error, "%s",
			error == -EEXIST ? "the name is taken" : strerror(-error));
		return;
	}
	*command = (struct command){
		.op = COMMAND_MAP,
		.offset = job->request.offset,
		.length = job->request.length,
		.protection = job->request.protection,
		.uid = job->uid,
		.gid = job->gid,
		.anonymous = job->request.anonymous,
		.granularity = (uint8_t)job->request.granularity,
		.sharing = (uint8_t)job->request.sharing,
		.label_length = (uint8_t)strlen(job->name),
	};
	memcpy(command->label, job->name, strlen(job->name));
	job->call.fd = job->fd;
	job->fd = -1;
	job->call.answered = mapped;
	keeper_link_call(service->keeper, &job->call);
}

static void opened(struct task *task)
{
	struct map_job *job = (struct map_job *)task;

	if (job->error || !job->finished)
		job_end(job, job->error ? job->error : ECANCELED, "%s",
			job->error ? job->why : "interrupted");
	else
		ask_keeper(job);
}

void mapper_map(struct service *service, const char *name, struct request *request, uid_t uid,
		gid_t gid, struct identity *identity, int fd, pid_t peer, mapper_finished finished,
		void *arg, struct map_job **handle)
{
	struct map_job *job = calloc(1, sizeof(*job));

	if (!job) {
		request_clear(request);
		free(identity);
		if (fd >= 0)
			close(fd);
		finished(arg, ENOMEM, "out of memory");
		return;
	}
	job->service = service;
	job->request = *request;
	*request = (struct request){0};
	job->identity = identity;
	job->fd = fd;
	job->peer = peer;
	job->uid = uid;
	job->gid = gid;
	job->finished = finished;
	job->arg = arg;
	job->handle = handle;
	snprintf(job->name, sizeof(job->name), "%s", name);
	job->task = (struct task){.lane = uid, .run = open_source, .done = opened};
	if (handle)
		*handle = job;
	if (namespace_find(service->names, name))
		job_end(job, EEXIST, "the name is taken");
	else if (job->request.anonymous)
		ask_keeper(job);
	else if (pool_submit(service->openers, &job->task))
		job_end(job, EAGAIN, "too many requests of this user are waiting");
}

void mapper_abandon(struct map_job *job)
{
	if (job->handle)
		*job->handle = NULL;
	job->handle = NULL;
	job->finished = NULL;
}

/* What the changes are called, in events and in messages. */
static const struct change_words {
	const char *operation, *text;
} change_words[] = {
	[COMMAND_UNMAP] = {"unmap", "unmap"},
	[COMMAND_UNMAP_RANGE] = {"unmap_range", "unmap a part"},
	[COMMAND_LABEL] = {"rename", "rename"},
};

/* Answers whoever waits, once. */
static __attribute__((__format__(__printf__, 3, 4))) void
change_answer(struct change_job *job, int error, const char *format, ...)
{
	struct mapping *mapping = namespace_find_number(job->service->names, job->number);
	const char *name = mapping ? mapping_name(mapping) : "";
	const struct change_words *words = &change_words[job->call.command.op];
	char reason[400], why[MAPPER_WHY_LENGTH] = "";
	mapper_finished finished = job->finished;
	va_list args;

	if (!finished)
		return;
	if (error) {
		va_start(args, format);
		vsnprintf(reason, sizeof(reason), format, args);
		va_end(args);
		snprintf(why, sizeof(why), "%s: cannot %s: %s", name, words->text, reason);
		mapper_failed(job->service, words->operation, name, job->uid, error, why);
	}
	job->finished = NULL;
	finished(job->arg, error, why);
}

static void change_overdue(struct keeper_call *call)
{
	change_answer((struct change_job *)call, EBUSY, "the keeper has not done it in time");
}

static void unmapped(struct change_job *job, struct mapping *mapping)
{
	struct service *service = job->service;
	bool late = !job->finished;

	clock_gettime(CLOCK_REALTIME, &service->changed);
	events_unmapped(service->events, mapping);
	if (late)
		notify_name(service, mapping_name(mapping));
	log_debug("%s: unmapped%s", mapping_name(mapping), late ? ", late" : "");
	namespace_remove(service->names, mapping);
	change_answer(job, 0, "%s", "");
}

/* Where the last page of the range ends, in bytes from the start of the mapping. */
static uint64_t range_end(const struct mapping *mapping, const struct command *command)
{
	uint64_t page = extents_whole(1), whole, end;
	struct pmem2fs_record record;

	version_record(mapping->version, &record);
	if (record.alignment > page)
		page = record.alignment;
	whole = extents_whole(record.length);
	if (command->offset >= whole || command->length >= whole - command->offset)
		return whole;
	end = command->offset + (command->length + page - 1) / page * page;
	return end < whole ? end : whole;
}

/* A document with more parts could not be written back: see REQUEST_MAX_BYTES. */
static int check_parts(const struct mapping *mapping, char why[MAPPER_WHY_LENGTH])
{
	const struct extents *extents = mapping->version->extents;

	if (!extents || extents->count < EXTENTS_MAX)
		return 0;
	snprintf(why, MAPPER_WHY_LENGTH, "it has %u parts already", EXTENTS_MAX);
	return ENOSPC;
}

/* Whether the command makes one area more: a gap in the middle of one. */
static bool makes_area(const struct mapping *mapping, const struct command *command)
{
	struct pmem2fs_record record;

	version_record(mapping->version, &record);
	return command->op == COMMAND_UNMAP_RANGE &&
	       extents_split(mapping->version->extents, extents_whole(record.length),
			     command->offset, range_end(mapping, command));
}

static void unmapped_range(struct change_job *job, struct mapping *mapping)
{
	const struct command *command = &job->call.command;
	struct service *service = job->service;
	uint64_t end = range_end(mapping, command);

	mapping->busy = false;
	if (namespace_cut(service->names, mapping, command->offset, end)) {
		log_error("%s: out of memory: what was unmapped shows late", mapping_name(mapping));
		mapping->checked = 0;
	}
	events_unmapped_range(service->events, mapping, command->offset, end - command->offset);
	notify_name(service, mapping_name(mapping));
	log_debug("%s: unmapped %" PRIu64 " bytes at offset %" PRIu64, mapping_name(mapping),
		  end - command->offset, command->offset);
	change_answer(job, 0, "%s", "");
}

static void renamed(struct change_job *job, struct mapping *mapping)
{
	struct service *service = job->service;
	char *old_name = strdup(mapping_name(mapping));

	mapping->busy = false;
	if (!old_name || namespace_rename(service->names, mapping, job->reserved)) {
		namespace_remove(service->names, job->reserved);
		change_answer(job, ENOMEM, "out of memory");
	} else {
		clock_gettime(CLOCK_REALTIME, &service->changed);
		events_renamed(service->events, mapping, old_name);
		if (!job->finished) /* the kernel was told that nothing happens */
			notify_name(service, old_name);
		/* It keeps the old document under the new name otherwise, for a second. */
		notify_name(service, mapping_name(mapping));
		change_answer(job, 0, "%s", "");
	}
	free(old_name);
}

static void changed(struct keeper_call *call, const struct command_reply *reply)
{
	struct change_job *job = (struct change_job *)call;
	struct mapping *mapping = namespace_find_number(job->service->names, job->number);

	if (reply->error) {
		mapping->busy = false;
		if (call->command.op == COMMAND_UNMAP_RANGE)
			mapping->checked = 0; /* some pieces of it may be gone */
		if (job->reserved)
			namespace_remove(job->service->names, job->reserved);
		if (reply->error == -ETIMEDOUT)
			change_answer(job, EBUSY, "the keeper was busy");
		else
			change_answer(job, errors_to_errno(reply->error), "%s", reply->message);
	} else if (call->command.op == COMMAND_UNMAP) {
		unmapped(job, mapping);
	} else if (call->command.op == COMMAND_UNMAP_RANGE) {
		unmapped_range(job, mapping);
	} else {
		renamed(job, mapping);
	}
	free(job);
}

/* All kinds begin with the same checks. `new_name` is NULL for an unmap. */
static void change(struct service *service, struct mapping *mapping, const struct command *wanted,
		   const char *new_name, uid_t uid, uint64_t patience, mapper_finished finished,
		   void *arg)
{
	struct change_job *job = calloc(1, sizeof(*job));
	uint64_t now = clock_now();
	struct pmem2fs_record record;
	char why[MAPPER_WHY_LENGTH];
	int error;

	if (!job) {
		finished(arg, ENOMEM, "out of memory");
		return;
	}
	version_record(mapping->version, &record);
	*job = (struct change_job){
		.call = {.command = *wanted,
			 .fd = -1,
			 .answer_by = now + patience,
			 .answered = changed,
			 .overdue = change_overdue},
		.service = service,
		.number = mapping->number,
		.uid = uid,
		.finished = finished,
		.arg = arg,
	};
	job->call.command.slot = mapping->slot;
	/* Begun a little earlier than it must end. */
	job->call.command.deadline = now + patience / 10 * 8;
	if (uid && uid != record.uid) {
		change_answer(job, EPERM, "it belongs to user %u", record.uid);
	} else if (makes_area(mapping, wanted) && ((error = check_parts(mapping, why)) ||
						   (error = check_room(service, uid, why)))) {
		change_answer(job, error, "%s", why);
	} else if (new_name && (error = namespace_reserve(service->names, new_name, record.uid,
							  &job->reserved))) {
		change_answer(job, -error, "%s: %s", new_name,
			      error == -EEXIST ? "the name is taken" : strerror(-error));
	} else if (mapping->busy || keeper_link_stuck(service->keeper)) {
		if (job->reserved)
			namespace_remove(service->names, job->reserved);
		change_answer(job, EBUSY, "%s",
			      mapping->busy ? "another change of it is under way"
					    : "the keeper does not answer");
	} else {
		mapping->busy = true;
		keeper_link_call(service->keeper, &job->call);
		return;
	}
	free(job);
}

void mapper_unmap(struct service *service, struct mapping *mapping, uid_t uid, uint64_t patience,
		  mapper_finished finished, void *arg)
{
	const struct command wanted = {.op = COMMAND_UNMAP};

	change(service, mapping, &wanted, NULL, uid, patience, finished, arg);
}

void mapper_unmap_range(struct service *service, struct mapping *mapping, uint64_t offset,
			uint64_t length, uid_t uid, uint64_t patience, mapper_finished finished,
			void *arg)
{
	struct command wanted = {.op = COMMAND_UNMAP_RANGE, .offset = offset, .length = length};
	struct pmem2fs_record record;

	version_record(mapping->version, &record);
	if (length == MAPPER_TO_THE_END) /* whose first byte is beyond, too, where it has none */
		wanted.length = offset < record.length ? record.length - offset : 1;
	change(service, mapping, &wanted, NULL, uid, patience, finished, arg);
}

void mapper_rename(struct service *service, struct mapping *mapping, const char *name, uid_t uid,
		   uint64_t patience, mapper_finished finished, void *arg)
{
	struct command wanted = {.op = COMMAND_LABEL, .label_length = (uint8_t)strlen(name)};

	memcpy(wanted.label, name, strlen(name));
	change(service, mapping, &wanted, name, uid, patience, finished, arg);
}

/* Shows one mapping that the keeper has. Its label was checked to be a name when it was made. */
static int load(struct service *service, uint32_t slot, const struct pmem2fs_record *record)
{
	char name[NAME_LENGTH_MAX + 1];
	struct mapping *mapping;
	int error;

	memcpy(name, record->label, record->label_length);
	name[record->label_length] = '\0';
	if (!name[0])
		snprintf(name, sizeof(name), "slot.%u", slot);
	error = namespace_reserve(service->names, name, record->uid, &mapping);
	if (error == -EEXIST) { /* one of the two was on its way back, or got a name half */
		snprintf(name, sizeof(name), "slot.%u.%llu", slot,
			 (unsigned long long)record->created);
		error = namespace_reserve(service->names, name, record->uid, &mapping);
	}
	if (error)
		return error;
	error = namespace_show(service->names, mapping, slot, record, NULL,
			       witness_owner(service->witness));
	if (error)
		namespace_remove(service->names, mapping);
	return error;
}

int mapper_load(struct service *service)
{
	struct pmem2fs_record record;
	uint32_t slot = 0, bad = 0;
	int error;

	while (!(error = pmem2fs_table_next(service->table, &slot, NULL, &record, &bad))) {
		error = load(service, slot++, &record);
		if (error)
			return error;
	}
	if (bad)
		log_error("%u slots of the keeper's table cannot be read", bad);
	return error == -ENOENT ? 0 : error;
}
