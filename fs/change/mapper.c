/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapper.c - see mapper.h
 *
 * A mapping is made in three steps: the source is opened with the rights of the caller, the keeper
 * maps it, and its record, read from the keeper's table, is shown. The name is reserved between the
 * first and the second, so that a source that hangs blocks no name. A thread opens the source
 * unless that is known to make nobody wait (host/quick_opener.h).
 *
 * Until the keeper has answered, the file is open here as well, so that the keeper's close is never
 * the last one; that is left to a receiver, which may hang.
 */
#include "change/mapper.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "catalog/catalog.h"
#include "catalog/events.h"
#include "change/failure.h"
#include "change/keeper_link.h"
#include "facts/facts_cache.h"
#include "host/identity.h"
#include "host/opener.h"
#include "host/quick_opener.h"
#include "libpmem2fs.h"
#include "protocol/request.h"
#include "receive/message.h"
#include "receive/receivers.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct map_job {
	struct task task;
	struct keeper_call call;
	const struct mapper *mapper;
	struct request request;
	struct identity *identity;
	int fd;
	int place;       /* a descriptor that the thread closes; -1: none */
	uint64_t mounts; /* quick_opener_mounts, before the thread opens the source */
	int quick_mount; /* where the thread has found the source; -1: not to be remembered */
	pid_t peer;
	char *described; /* names the source in messages, where it came as a descriptor; else NULL
			  */
	int error;       /* result of open_source, a positive errno */
	char why[OPENER_WHY_LENGTH];
	struct mapping *reserved;
	struct receive closing; /* of the file, after an error */
	int result;             /* a positive errno; with `answer`, for `finished` */
	char *answer;           /* NULL: "" */
	struct map_job **handle;
	completion *finished; /* NULL: abandoned */
	void *arg;
	uid_t uid;
	gid_t gid;
	char name[NAME_LENGTH_MAX + 1];
};

static void job_free(struct map_job *job)
{
	request_clear(&job->request);
	free(job->described);
	free(job->answer);
	free(job->identity);
	free(job);
}

static void job_answer(struct map_job *job)
{
	if (job->handle) /* `finished` may free what the handle is in */
		*job->handle = NULL;
	if (job->finished)
		job->finished(job->arg, job->result, job->answer ? job->answer : "");
	job_free(job);
}

static void file_closed(struct receive *receive, const struct receive_result *result,
			const char *packet, int fd)
{
	(void)result; /* if it takes long, nobody waits for it */
	(void)packet;
	(void)fd;
	job_answer(container_of(receive, struct map_job, closing));
}

/*
 * Calls `finished` and frees the job. The text is the reason of an error. After one the file is
 * closed first: the caller may want to unmount what it is on.
 */
static __attribute__((__format__(__printf__, 3, 4))) void job_end(struct map_job *job, int error,
								  const char *format, ...)
{
	char reason[400] = "", why[COMPLETION_WHY_LENGTH];
	const char *source = job->request.anonymous ? "anonymous memory"
			     : job->described       ? job->described
						    : job->request.path;
	va_list args;

	if (error) {
		va_start(args, format);
		vsnprintf(reason, sizeof(reason), format, args);
		va_end(args);
		snprintf(why, sizeof(why), "%s: cannot map%s%.800s: %s", job->name,
			 source ? " " : "", source ? source : "", reason);
		failure_report(job->mapper->events, "map", job->name, job->uid, error, why);
		job->answer = strdup(why);
	}
	job->result = error;
	if (job->fd < 0) {
		job_answer(job);
	} else if (!error) {
		close(job->fd); /* the keeper has it */
		job_answer(job);
	} else {
		job->closing.received = file_closed;
		receivers_close_file(job->mapper->receivers, job->fd, job->uid,
				     clock_now() + CLOSE_PATIENCE, &job->closing);
	}
}

/* A length that reaches the end of the file means "to the end", however that is aligned. */
static void fit_length(struct map_job *job)
{
	struct stat st;

	if (fstat(job->fd, &st) || !S_ISREG(st.st_mode))
		return;
	if (job->request.length &&
	    job->request.offset + job->request.length == (uint64_t)st.st_size)
		job->request.length = 0;
}

static bool writes(const struct map_job *job)
{
	return job->request.sharing == PMEM2_SHARED && job->request.protection & PMEM2_PROT_WRITE;
}

/* Opens the source in the loop. False: a thread is to do it. */
static bool open_at_once(struct map_job *job)
{
	struct quick_opener *opener = job->mapper->quick_opener;

	if (job->fd >= 0 || job->request.allocate)
		return false;
	job->mounts = quick_opener_mounts(opener);
	job->fd = quick_opener_open(opener, job->identity, job->request.path, writes(job),
				    &job->place);
	if (job->fd < 0)
		return false;
	fit_length(job);
	return true;
}

static void open_source(struct task *task)
{
	struct map_job *job = container_of(task, struct map_job, task);
	int result;

	if (job->place >= 0)
		close(job->place);
	if (job->fd >= 0) {
		job->described = opener_path(job->fd);
		result = opener_check(job->fd, job->peer, job->why);
	} else {
		result = opener_open(job->identity, job->request.path, writes(job), job->why);
		job->fd = result < 0 ? -1 : result;
		if (job->fd >= 0)
			job->quick_mount = quick_opener_find_mount(job->fd);
	}
	if (result >= 0)
		fit_length(job);
	if (result >= 0 && job->request.allocate)
		result = opener_allocate(job->identity, job->fd, job->request.offset,
					 job->request.length, job->why);
	if (result < 0)
		job->error = -result;
}

/* A mapping that was made for a request that was abandoned meanwhile, being unmapped. */
struct return_job {
	struct keeper_call call;
	const struct mapper *mapper;
	struct mapping *reserved; /* holds its name, which the keeper's table still has */
	uid_t uid;
};

static void return_answered(struct keeper_call *call, const struct command_reply *reply, int fd)
{
	struct return_job *job = container_of(call, struct return_job, call);
	const struct mapper *mapper = job->mapper;

	if (fd >= 0)
		receivers_close_file(mapper->receivers, fd, job->uid, 0, NULL);

	if (reply->error)
		log_of_user(LOG_TOPIC_DAEMON, geteuid(), LOG_ERR,
			    "%s: cannot take back a mapping that nobody waited for: %s",
			    mapping_name(job->reserved), reply->message);
	catalog_remove(mapper->catalog, job->reserved);
	free(job);
}

static void return_mapping(const struct mapper *mapper, struct mapping *reserved, uid_t uid,
			   uint32_t slot)
{
	struct return_job *job = calloc(1, sizeof(*job));

	if (!job) {
		log_of_user(LOG_TOPIC_DAEMON, geteuid(), LOG_ERR,
			    "%s: out of memory: a mapping that nobody waited for stays",
			    mapping_name(reserved));
		return;
	}
	job->mapper = mapper;
	job->reserved = reserved;
	job->uid = uid;
	job->call = (struct keeper_call){
		.command = {.op = COMMAND_UNMAP, .slot = slot},
		.fd = -1,
		.answered = return_answered,
	};
	keeper_link_call(mapper->keeper, &job->call);
}

static void map_answered(struct keeper_call *call, const struct command_reply *reply, int fd)
{
	struct map_job *job = container_of(call, struct map_job, call);
	const struct mapper *mapper = job->mapper;
	struct pmem2fs_record record;
	int error;

	(void)fd; /* none comes with this answer */
	if (reply->error) {
		catalog_remove(mapper->catalog, job->reserved);
		job_end(job, errors_to_errno(reply->error), "%s", reply->message);
		return;
	}
	error = job->finished ? pmem2fs_table_read(mapper->table, reply->slot, NULL, &record)
			      : -ECANCELED;
	if (!error)
		error = catalog_show(mapper->catalog, job->reserved, reply->slot, &record,
				     job->request.path, facts_cache_keeper(mapper->facts_cache));
	if (error) {
		return_mapping(mapper, job->reserved, job->uid, reply->slot);
		job_end(job, errors_to_errno(error),
			error == -ECANCELED ? "interrupted" : "cannot read the keeper's table: %s",
			strerror(errors_to_errno(error)));
		return;
	}
	events_mapped(mapper->events, job->reserved);
	log_debug("%s: mapped", job->name);
	job_end(job, 0, "%s", "");
}

static void map_by_keeper(struct map_job *job)
{
	const struct mapper *mapper = job->mapper;
	char why[COMPLETION_WHY_LENGTH];
	struct command *command = &job->call.command;
	int error;

	error = limits_check(mapper->limits, mapper->catalog, job->uid, why);
	if (error) {
		job_end(job, error, "%s", why);
		return;
	}
	error = catalog_reserve(mapper->catalog, job->name, job->uid, &job->reserved);
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
	job->call.answered = map_answered;
	keeper_link_call(mapper->keeper, &job->call);
}

static void source_opened(struct task *task)
{
	struct map_job *job = container_of(task, struct map_job, task);

	if (job->quick_mount >= 0)
		quick_opener_learn(job->mapper->quick_opener, job->quick_mount, job->mounts);
	if (job->error || !job->finished)
		job_end(job, job->error ? job->error : ECANCELED, "%s",
			job->error ? job->why : "interrupted");
	else
		map_by_keeper(job);
}

static void refuse_to_wait(struct map_job *job)
{
	if (job->place >= 0)
		receivers_close_file(job->mapper->receivers, job->place, job->uid, 0, NULL);
	job_end(job, EAGAIN, "too many requests of this user are waiting");
}

void mapper_map(const struct mapper *mapper, const char *name, struct request *request, uid_t uid,
		gid_t gid, struct identity *identity, int fd, pid_t peer, completion *finished,
		void *arg, struct map_job **handle)
{
	struct map_job *job = calloc(1, sizeof(*job));

	if (!job) {
		request_clear(request);
		free(identity);
		if (fd >= 0)
			receivers_close_file(mapper->receivers, fd, uid, 0, NULL);
		finished(arg, ENOMEM, "out of memory");
		return;
	}
	job->mapper = mapper;
	job->request = *request;
	*request = (struct request){0};
	job->identity = identity;
	job->fd = fd;
	job->place = job->quick_mount = -1;
	job->peer = peer;
	job->uid = uid;
	job->gid = gid;
	job->finished = finished;
	job->arg = arg;
	job->handle = handle;
	snprintf(job->name, sizeof(job->name), "%s", name);
	job->task = (struct task){.lane = uid, .run = open_source, .done = source_opened};
	if (handle)
		*handle = job;
	if (catalog_find(mapper->catalog, name))
		job_end(job, EEXIST, "the name is taken");
	else if (job->request.anonymous)
		map_by_keeper(job);
	else if (receivers_are_behind(mapper->receivers, uid))
		job_end(job, EAGAIN, "too many files of this user are being closed");
	else if (open_at_once(job))
		map_by_keeper(job);
	else if (pool_submit(mapper->openers, &job->task))
		refuse_to_wait(job);
}

void mapper_abandon(struct map_job *job)
{
	if (job->handle)
		*job->handle = NULL;
	job->handle = NULL;
	job->finished = NULL;
}

/* Shows one mapping that the keeper has. Its label was checked to be a name when it was made. */
static int show_loaded(const struct mapper *mapper, uint32_t slot,
		       const struct pmem2fs_record *record)
{
	char name[NAME_LENGTH_MAX + 1];
	struct mapping *mapping;
	int error;

	memcpy(name, record->label, record->label_length);
	name[record->label_length] = '\0';
	if (!name[0])
		snprintf(name, sizeof(name), "slot.%u", slot);
	error = catalog_reserve(mapper->catalog, name, record->uid, &mapping);
	if (error == -EEXIST) { /* one of the two was being unmapped, or half renamed */
		snprintf(name, sizeof(name), "slot.%u.%llu", slot,
			 (unsigned long long)record->created);
		error = catalog_reserve(mapper->catalog, name, record->uid, &mapping);
	}
	if (error)
		return error;
	error = catalog_show(mapper->catalog, mapping, slot, record, NULL,
			     facts_cache_keeper(mapper->facts_cache));
	if (error)
		catalog_remove(mapper->catalog, mapping);
	return error;
}

int mapper_load(const struct mapper *mapper)
{
	struct pmem2fs_record record;
	uint32_t slot = 0, bad = 0;
	int error;

	while (!(error = pmem2fs_table_next(mapper->table, &slot, NULL, &record, &bad))) {
		error = show_loaded(mapper, slot++, &record);
		if (error)
			return error;
	}
	if (bad)
		log_error("%u slots of the keeper's table cannot be read", bad);
	return error == -ENOENT ? 0 : error;
}
