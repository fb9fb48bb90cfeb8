/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * receiver_processes.c - see receiver_processes.h
 */
#include "receive/receiver_processes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/share.h"
#include "base/spawn.h"
#include "protocol/receiver_fds.h"
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_PAUSE CLOCK_SECOND /* after a process could not be started */
#define ROOTS_PART  8

/* A user needs another process while some hang, and a process that keeps its files. */
const struct share receiver_processes_share = {
	.what = "processes that take descriptors",
	.total = RECEIVERS_MAX + ROOTS_PART,
	.root = ROOTS_PART,
	.user = RECEIVERS_STUCK_MAX + 1,
	.sure = 1,
};

static int epoll_of(const struct receiver_processes *processes, uid_t uid)
{
	return share_is_limited(uid) ? processes->users : processes->first;
}

void receiver_end(struct receiver *receiver)
{
	epoll_ctl(epoll_of(receiver->processes, receiver->uid), EPOLL_CTL_DEL, receiver->watch.fd,
		  NULL);
	close(receiver->watch.fd);
	receiver->ended = true;
}

void receiver_charge(struct receiver_processes *processes, uid_t uid, uint64_t begun)
{
	struct user_quota *user = quota_of(processes->loop_time, uid);
	uint64_t now = clock_now();

	if (user)
		quota_charge_now(processes->loop_time, user, now, now - begun);
}

struct receiver *receiver_start(struct receiver_processes *processes, uid_t uid,
				const char *inherits, int fd)
{
	struct receiver *receiver = calloc(1, sizeof(*receiver));
	struct epoll_event event = {.events = EPOLLIN};
	char *const arguments[] = {"pmem2fs", "--receiver", (char *)inherits, NULL};
	uint64_t begun = clock_now();
	int pair[2], fds[2];

	if (!receiver || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		free(receiver);
		processes->start_after = clock_now() + START_PAUSE;
		return NULL;
	}
	*receiver = (struct receiver){
		.processes = processes,
		.watch = {.fd = pair[0], .ready = processes->ready},
		.uid = uid,
		.since = begun,
	};
	event.data.ptr = &receiver->watch;
	fds[0] = pair[1];
	fds[1] = fd;
	if (epoll_ctl(epoll_of(processes, uid), EPOLL_CTL_ADD, pair[0], &event) ||
	    spawn_program(processes->program, arguments, fds, inherits ? 2 : 1, RECEIVER_FD,
			  &receiver->pid)) {
		close(pair[0]);
		free(receiver);
		receiver = NULL;
		processes->start_after = clock_now() + START_PAUSE;
		log_of_user(LOG_TOPIC_DAEMON, uid, LOG_ERR,
			    "cannot start a process that receives descriptors");
	} else {
		LIST_INSERT_HEAD(&processes->list, receiver, others);
	}
	close(pair[1]);
	/* If the caller charges the whole call to the user, this time is charged twice. */
	receiver_charge(processes, uid, begun);
	return receiver;
}

/* Whether another user can have its place. */
static bool gives_place(const struct receiver *receiver)
{
	return receiver->uid && !receiver->ended && !receiver->busy && !receiver->keeps &&
	       !receiver->stuck;
}

/* Ends an idle receiver. */
static void make_room(struct receiver_processes *processes)
{
	struct receiver *receiver;

	LIST_FOREACH(receiver, &processes->list, others)
	{
		if (!gives_place(receiver))
			continue;
		receiver_end(receiver);
		return;
	}
}

enum receiver_state receiver_find(struct receiver_processes *processes, uid_t uid,
				  struct receiver **found)
{
	struct share_use use = {.uid = uid}, with_idle = use;
	struct receiver *receiver;
	unsigned stuck = 0;

	LIST_FOREACH(receiver, &processes->list, others)
	{
		share_count(&with_idle, receiver->uid, 1);
		if (!gives_place(receiver))
			share_count(&use, receiver->uid, 1);
		if (receiver->uid != uid || (receiver->keeps && !receiver->ended))
			continue;
		if (!receiver->stuck && !receiver->ended) {
			*found = receiver;
			return receiver->busy ? RECEIVER_BUSY : RECEIVER_IDLE;
		}
		stuck++; /* also while it ends: its exit closes files, and may hang */
	}
	if (uid && stuck >= RECEIVERS_STUCK_MAX)
		return RECEIVER_STUCK;
	if (!share_room(&receiver_processes_share, &use))
		return use.own < receiver_processes_share.sure ? RECEIVER_NO_PLACE
							       : RECEIVER_NO_SHARE;
	if (clock_now() < processes->start_after)
		return RECEIVER_PAUSED;
	if (!share_room(&receiver_processes_share, &with_idle))
		make_room(processes);
	*found = receiver_start(processes, uid, NULL, -1);
	return *found ? RECEIVER_IDLE : RECEIVER_PAUSED;
}

/* Finds the user's process that keeps sockets and files. NULL: there is none, and *may_start is
 * set. */
static struct receiver *find_keeping(const struct receiver_processes *processes, uid_t uid,
				     bool *may_start)
{
	struct share_use use = {.uid = uid};
	struct receiver *receiver;
	unsigned ended = 0;

	LIST_FOREACH(receiver, &processes->list, others)
	{
		share_count(&use, receiver->uid, 1);
		if (!receiver->keeps || receiver->uid != uid)
			continue;
		if (!receiver->ended)
			return receiver;
		ended++; /* its exit closes files, and may hang */
	}
	*may_start = (!uid || ended < RECEIVERS_STUCK_MAX) &&
		     share_room(&receiver_processes_share, &use) &&
		     clock_now() >= processes->start_after;
	return NULL;
}

bool receiver_may_keep(const struct receiver_processes *processes, uid_t uid)
{
	bool may_start;

	return find_keeping(processes, uid, &may_start) || may_start;
}

struct receiver *receiver_keeping(struct receiver_processes *processes, uid_t uid)
{
	bool may_start;
	struct receiver *receiver = find_keeping(processes, uid, &may_start);

	return receiver || !may_start ? receiver : receiver_start(processes, uid, NULL, -1);
}

bool receiver_reap(struct receiver *receiver)
{
	if (!waitpid(receiver->pid, NULL, WNOHANG))
		return false;
	LIST_REMOVE(receiver, others);
	free(receiver);
	return true;
}

void receiver_processes_end(struct receiver_processes *processes)
{
	struct receiver *receiver;

	while ((receiver = LIST_FIRST(&processes->list))) {
		LIST_REMOVE(receiver, others);
		if (!receiver->ended)
			close(receiver->watch.fd);
		free(receiver->job);
		free(receiver);
	}
}
