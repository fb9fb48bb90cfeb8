/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * receive_jobs.h - the packets, sockets and files that receivers are to take or close
 *
 * Owns the jobs, and a struct for each user with a job. Each list is sorted by what is served
 * first, so that no call walks the jobs of all users. Used by the request loop alone.
 */
#ifndef PMEM2FS_RECEIVE_RECEIVE_JOBS_H
#define PMEM2FS_RECEIVE_RECEIVE_JOBS_H

#include "base/share.h"
#include "receive/message.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct receive;

TAILQ_HEAD(receive_job_list, receive_job);

struct receive_job {
	TAILQ_ENTRY(receive_job) others; /* in `list` */
	TAILQ_ENTRY(receive_job) timed;  /* in receive_jobs.timed, if is_timed */
	struct receive_job_list
		*list; /* that it is in: `waiting` or `failed`; NULL: a receiver has it */
	struct receive_user *user;
	struct receive_command command;
	int fd; /* a socket or a file; owned, but for RECEIVE_PACKET */
	bool is_timed;
	uint64_t until;          /* clock_now() after which nobody waits, if is_timed */
	struct receive *receive; /* NULL: nobody waits for the packet, or the file */
};

struct receive_user {
	uid_t uid;
	struct receive_job_list waiting; /* oldest first */
	unsigned counts[RECEIVE_KINDS];  /* of the jobs in `waiting` */
	unsigned jobs;                   /* in any list, or with a receiver */
	uint64_t progress; /* clock_now() of the last message of a receiver, or of the first job */
	TAILQ_ENTRY(receive_user) others;
	bool queued; /* in receive_jobs.queue */
};

TAILQ_HEAD(receive_user_list, receive_user);

struct receive_jobs {
	void *users;                    /* a tree by uid */
	size_t by_users[RECEIVE_KINDS]; /* waiting jobs of all users but root */
	size_t by_root[RECEIVE_KINDS];  /* waiting jobs of root */
	struct receive_user_list queue; /* users without a receiver: root, then the oldest first */
	struct receive_job_list failed;
	struct receive_job_list timed; /* those with a deadline, the earliest first */
};

void receive_jobs_begin(struct receive_jobs *jobs);
/* Frees the jobs that wait or have failed. Their descriptors stay open. */
void receive_jobs_end(struct receive_jobs *jobs);

/* NULL: the user has no job. */
struct receive_user *receive_jobs_user(const struct receive_jobs *jobs, uid_t uid);

/* How many of a user's jobs wait. */
unsigned receive_jobs_count(const struct receive_jobs *jobs, uid_t uid, enum receive_kind kind);

/* How much of the shared limit of a kind is in use, for share_room. */
struct share_use receive_jobs_use(const struct receive_jobs *jobs, uid_t uid,
				  enum receive_kind kind);

/* Adds a job to those of its user that wait. NULL: out of memory. */
struct receive_job *receive_job_new(struct receive_jobs *jobs, enum receive_kind kind, int fd,
				    uid_t uid);

/* The owner of the job waits for it until then. */
void receive_job_await(struct receive_jobs *jobs, struct receive_job *job, struct receive *receive,
		       uint64_t until);

/* The owner waits no longer. Returns what job->receive was. */
struct receive *receive_job_release(struct receive_jobs *jobs, struct receive_job *job);

/* A job whose `until` has passed, NULL if there is none. */
struct receive_job *receive_jobs_late(const struct receive_jobs *jobs, uint64_t now);

/* Removes a waiting job from the list of its user: a receiver has it now, or it is in `failed`. */
void receive_job_give(struct receive_jobs *jobs, struct receive_job *job);
void receive_job_fail(struct receive_jobs *jobs, struct receive_job *job);

void receive_job_free(struct receive_jobs *jobs, struct receive_job *job);

/* Notes that a receiver of the user has sent a message. */
void receive_jobs_progress(const struct receive_jobs *jobs, uid_t uid);

/* Adds the user to `queue`, and removes it. */
void receive_user_queue(struct receive_jobs *jobs, struct receive_user *user);
void receive_user_unqueue(struct receive_jobs *jobs, struct receive_user *user);

#endif
