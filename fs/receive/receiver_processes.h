/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * receiver_processes.h - starts and ends the receiver processes
 *
 * Owns the processes (receiver.h). What they do is for receivers.c to decide. Used by the request
 * loop alone.
 */
#ifndef PMEM2FS_RECEIVE_RECEIVER_PROCESSES_H
#define PMEM2FS_RECEIVE_RECEIVER_PROCESSES_H

#include "base/fd_watch.h"
#include "base/share.h"
#include "base/time_quota.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#define RECEIVERS_STUCK_MAX 2  /* of a user other than root */
#define RECEIVERS_MAX       64 /* of all users other than root */

/*
 * How many processes there may be: each of 32 users is sure of one. Idle ones are not counted where
 * one is ended for its place.
 */
extern const struct share receiver_processes_share;

struct receiver {
	LIST_ENTRY(receiver) others;
	struct receiver_processes *processes;
	struct watch watch; /* of the worker's end of its socket pair */
	pid_t pid;
	uid_t uid;
	struct receive_job *job; /* NULL: none, or its result has been received */
	bool busy;               /* it has not said that it is done */
	bool keeps;              /* it only keeps sockets and files open */
	bool stuck;              /* it has taken too long, and is not used again */
	bool ended;
	uint64_t since; /* clock_now() when it began or ended its last job */
};

LIST_HEAD(receiver_list, receiver);

struct receiver_processes {
	int first, users; /* epoll sets: for receivers of root, and of other users */
	const char *program;
	struct quota *loop_time;                             /* of all users */
	void (*ready)(struct watch *watch, uint32_t events); /* of each receiver */
	struct receiver_list list;
	uint64_t start_after; /* clock_now(), before which no process is started */
};

/* Ends all of them, without waiting. */
void receiver_processes_end(struct receiver_processes *processes);

/*
 * `inherits` says what the receiver does first with `fd`, which stays the caller's: RECEIVER_REST
 * or RECEIVER_FILE (receiver_fds.h); NULL: nothing, there is none. NULL: it cannot be started.
 */
struct receiver *receiver_start(struct receiver_processes *processes, uid_t uid,
				const char *inherits, int fd);

enum receiver_state {
	RECEIVER_IDLE,     /* it can take a job */
	RECEIVER_BUSY,     /* it can when it is done */
	RECEIVER_STUCK,    /* too many of the user's receivers hang: none until one has ended */
	RECEIVER_NO_SHARE, /* the user has its share: none until a process is idle or has ended */
	RECEIVER_NO_PLACE, /* all places are in use: the same, for all users */
	RECEIVER_PAUSED,   /* a start has failed: none, not even for root, until start_after */
};

/* Finds or starts the receiver that takes the user's jobs. */
enum receiver_state receiver_find(struct receiver_processes *processes, uid_t uid,
				  struct receiver **found);

/* Whether receiver_keeping would find or start a process. */
bool receiver_may_keep(const struct receiver_processes *processes, uid_t uid);

/*
 * Finds or starts the user's process that only keeps sockets and files open. NULL: it cannot be
 * started.
 */
struct receiver *receiver_keeping(struct receiver_processes *processes, uid_t uid);

/* Charges the time since `begun` to a user for whom the loop has worked. */
void receiver_charge(struct receiver_processes *processes, uid_t uid, uint64_t begun);

/* Closes its socket, which ends it. receiver_reap frees it afterwards. */
void receiver_end(struct receiver *receiver);

/* Frees a receiver that has ended. False: it has not yet. */
bool receiver_reap(struct receiver *receiver);

#endif
