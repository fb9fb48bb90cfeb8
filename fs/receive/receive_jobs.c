/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * receive_jobs.c - see receive_jobs.h
 */
#include "receive/receive_jobs.h"
#include "base/clock.h"
#include <search.h>
#include <stdlib.h>

static int by_uid(const void *a, const void *b)
{
	const struct receive_user *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

void receive_jobs_begin(struct receive_jobs *jobs)
{
	TAILQ_INIT(&jobs->queue);
	TAILQ_INIT(&jobs->failed);
	TAILQ_INIT(&jobs->timed);
}

static void free_user(void *node)
{
	struct receive_user *user = node;
	struct receive_job *job;

	while ((job = TAILQ_FIRST(&user->waiting))) {
		TAILQ_REMOVE(&user->waiting, job, others);
		free(job);
	}
	free(user);
}

void receive_jobs_end(struct receive_jobs *jobs)
{
	struct receive_job *job;

	while ((job = TAILQ_FIRST(&jobs->failed))) {
		TAILQ_REMOVE(&jobs->failed, job, others);
		free(job);
	}
	tdestroy(jobs->users, free_user);
	jobs->users = NULL;
}

struct receive_user *receive_jobs_user(const struct receive_jobs *jobs, uid_t uid)
{
	const struct receive_user wanted = {.uid = uid};
	void *node = tfind(&wanted, &jobs->users, by_uid);

	return node ? *(struct receive_user **)node : NULL;
}

unsigned receive_jobs_count(const struct receive_jobs *jobs, uid_t uid, enum receive_kind kind)
{
	const struct receive_user *user = receive_jobs_user(jobs, uid);

	return user ? user->counts[kind] : 0;
}

struct share_use receive_jobs_use(const struct receive_jobs *jobs, uid_t uid,
				  enum receive_kind kind)
{
	return (struct share_use){
		.uid = uid,
		.users = jobs->by_users[kind],
		.root = jobs->by_root[kind],
		.own = receive_jobs_count(jobs, uid, kind),
	};
}

static void count_waiting(struct receive_jobs *jobs, const struct receive_job *job, int more)
{
	enum receive_kind kind = job->command.kind;

	job->user->counts[kind] += (unsigned)more;
	(job->user->uid ? jobs->by_users : jobs->by_root)[kind] += (size_t)more;
}

static struct receive_user *user_new(struct receive_jobs *jobs, uid_t uid)
{
	struct receive_user *user = calloc(1, sizeof(*user));

	if (!user)
		return NULL;
	user->uid = uid;
	user->progress = clock_now();
	TAILQ_INIT(&user->waiting);
	if (tsearch(user, &jobs->users, by_uid))
		return user;
	free(user);
	return NULL;
}

static void drop_user(struct receive_jobs *jobs, struct receive_user *user)
{
	if (user->jobs)
		return;
	tdelete(user, &jobs->users, by_uid);
	free(user);
}

struct receive_job *receive_job_new(struct receive_jobs *jobs, enum receive_kind kind, int fd,
				    uid_t uid)
{
	struct receive_user *user = receive_jobs_user(jobs, uid);
	struct receive_job *job;

	if (!user)
		user = user_new(jobs, uid);
	if (!user)
		return NULL;
	job = calloc(1, sizeof(*job));
	if (!job) {
		drop_user(jobs, user);
		return NULL;
	}
	job->command.kind = kind;
	job->fd = fd;
	job->user = user;
	job->list = &user->waiting;
	TAILQ_INSERT_TAIL(&user->waiting, job, others);
	count_waiting(jobs, job, 1);
	user->jobs++;
	return job;
}

void receive_job_await(struct receive_jobs *jobs, struct receive_job *job, struct receive *receive,
		       uint64_t until)
{
	struct receive_job *before = TAILQ_LAST(&jobs->timed, receive_job_list);

	job->receive = receive;
	job->until = until;
	job->is_timed = true;
	/* Nearly all wait equally long. */
	while (before && before->until > until)
		before = TAILQ_PREV(before, receive_job_list, timed);
	if (before)
		TAILQ_INSERT_AFTER(&jobs->timed, before, job, timed);
	else
		TAILQ_INSERT_HEAD(&jobs->timed, job, timed);
}

struct receive *receive_job_release(struct receive_jobs *jobs, struct receive_job *job)
{
	struct receive *receive = job->receive;

	if (job->is_timed)
		TAILQ_REMOVE(&jobs->timed, job, timed);
	job->is_timed = false;
	job->receive = NULL;
	return receive;
}

struct receive_job *receive_jobs_late(const struct receive_jobs *jobs, uint64_t now)
{
	struct receive_job *first = TAILQ_FIRST(&jobs->timed);

	return first && first->until <= now ? first : NULL;
}

static void take_off(struct receive_jobs *jobs, struct receive_job *job)
{
	struct receive_user *user = job->user;

	if (!job->list)
		return;
	TAILQ_REMOVE(job->list, job, others);
	if (job->list == &user->waiting) {
		count_waiting(jobs, job, -1);
		if (TAILQ_EMPTY(&user->waiting))
			receive_user_unqueue(jobs, user);
	}
	job->list = NULL;
}

void receive_job_give(struct receive_jobs *jobs, struct receive_job *job)
{
	take_off(jobs, job);
}

void receive_job_fail(struct receive_jobs *jobs, struct receive_job *job)
{
	take_off(jobs, job);
	job->list = &jobs->failed;
	TAILQ_INSERT_TAIL(&jobs->failed, job, others);
}

void receive_job_free(struct receive_jobs *jobs, struct receive_job *job)
{
	struct receive_user *user = job->user;

	take_off(jobs, job);
	receive_job_release(jobs, job);
	free(job);
	user->jobs--;
	drop_user(jobs, user);
}

void receive_jobs_progress(const struct receive_jobs *jobs, uid_t uid)
{
	struct receive_user *user = receive_jobs_user(jobs, uid);

	if (user)
		user->progress = clock_now();
}

void receive_user_queue(struct receive_jobs *jobs, struct receive_user *user)
{
	if (user->queued)
		return;
	user->queued = true;
	if (user->uid)
		TAILQ_INSERT_TAIL(&jobs->queue, user, others);
	else
		TAILQ_INSERT_HEAD(&jobs->queue, user, others);
}

void receive_user_unqueue(struct receive_jobs *jobs, struct receive_user *user)
{
	if (user->queued)
		TAILQ_REMOVE(&jobs->queue, user, others);
	user->queued = false;
}
