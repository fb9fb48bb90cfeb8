/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * receivers.c - see receivers.h
 *
 * Each user's jobs wait in one list, oldest first; its receiver has one of them at a time. A socket
 * or a file is closed here only while a receiver or a message to one still has it, or, a socket,
 * when its queue is empty and stays so: what the last one to close it does may take for ever.
 */
#include "receive/receivers.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "base/share.h"
#include "receive/message.h"
#include "receive/packets.h"
#include "receive/receive_jobs.h"
#include "receive/receiver_processes.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX  (5 * CLOCK_SECOND) /* to start, and to take a packet */
#define STUCK_AFTER CLOCK_SECOND       /* to close what came with it */
#define HANG_AFTER  CLOCK_SECOND       /* after which what waits counts as not being served */
#define IDLE_END    (10 * CLOCK_SECOND)
#define REAP_PAUSE  (CLOCK_SECOND / 20)

const struct share receivers_share = {
	.what = "packets, sockets or files that wait for a receiver",
	.total = 8192,
	.root = 1024,
	.user = 2048,
	.sure = 64,
};

struct receivers {
	struct receiver_processes processes;
	struct receive_jobs jobs;
	struct receive_message message;
};

static struct receivers *receivers_of(const struct receiver *receiver)
{
	return container_of(receiver->processes, struct receivers, processes);
}

/* Calls the owner of the packet or the file, unless it has given up. */
static void end_job(struct receivers *receivers, struct receive_job *job,
		    const struct receive_result *result, const char *packet, int fd)
{
	struct receive *receive = job->receive;
	uid_t uid = job->user->uid;

	receive_job_free(&receivers->jobs, job);
	if (receive) {
		receive->job = NULL;
		receive->received(receive, result, packet, fd);
	} else if (fd >= 0) {
		receivers_close_file(receivers, fd, uid, 0, NULL);
	}
}

/* A job without a packet: size is 0 or a negative errno. */
static void end_without_packet(struct receivers *receivers, struct receive_job *job, int32_t size)
{
	const struct receive_result result = {.size = size};

	end_job(receivers, job, &result, NULL, -1);
}

static void fail_job(struct receivers *receivers, struct receive_job *job)
{
	end_without_packet(receivers, job, -ECANCELED);
}

static void serve_next(struct receivers *receivers, uid_t uid);

static void take_result(struct receiver *receiver, size_t size, int fd)
{
	struct receivers *receivers = receivers_of(receiver);
	const struct receive_message *message = &receivers->message;
	struct receive_job *job = receiver->job;

	if (!receiver->stuck)
		receive_jobs_progress(&receivers->jobs, receiver->uid);
	if (message->result.done) {
		receiver->job = NULL;
		receiver->busy = false;
		receiver->since = clock_now();
		if (job) /* a packet: the result could not be sent */
			end_without_packet(receivers, job,
					   job->command.kind == RECEIVE_FILE ? 0 : -ECANCELED);
		if (!receiver->stuck)
			serve_next(receivers, receiver->uid);
	} else if (job && message->result.size <= (int32_t)(size - sizeof(message->result))) {
		receiver->job = NULL;
		receiver->since = clock_now();
		end_job(receivers, job, &message->result, message->packet, fd);
		return;
	}
	if (fd >= 0)
		receivers_close_file(receivers, fd, receiver->uid, 0, NULL);
}

static void receiver_ended(struct receiver *receiver)
{
	struct receivers *receivers = receivers_of(receiver);
	struct receive_job *job = receiver->job;
	uid_t uid = receiver->uid;

	receiver->job = NULL;
	receiver_end(receiver);
	if (job)
		fail_job(receivers, job);
	serve_next(receivers, uid);
}

/* Takes the next message of a receiver, or notices its end. False: there is neither. */
static bool hear_receiver(struct receiver *receiver)
{
	struct receive_message *message = &receivers_of(receiver)->message;
	uint64_t begun = clock_now();
	ssize_t n;
	int fd;

	if (receiver->ended)
		return false;
	n = descriptor_receive(receiver->watch.fd, message, sizeof(*message), MSG_DONTWAIT, &fd);
	if (n == -EAGAIN || n == -EINTR)
		return false;
	if (n >= (ssize_t)sizeof(message->result))
		take_result(receiver, (size_t)n, fd);
	else
		receiver_ended(receiver);
	/* Includes the time for what the owner of the packet did with it. */
	receiver_charge(receiver->processes, receiver->uid, begun);
	return true;
}

static void receiver_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	hear_receiver(container_of(watch, struct receiver, watch));
}

struct receivers *receivers_new(int first, int users, const char *program, struct quota *loop_time)
{
	struct receivers *receivers = calloc(1, sizeof(*receivers));

	if (!receivers)
		return NULL;
	receivers->processes = (struct receiver_processes){
		.first = first,
		.users = users,
		.program = program,
		.loop_time = loop_time,
		.ready = receiver_ready,
	};
	receive_jobs_begin(&receivers->jobs);
	return receivers;
}

void receivers_free(struct receivers *receivers)
{
	if (!receivers)
		return;
	receiver_processes_end(&receivers->processes);
	receive_jobs_end(&receivers->jobs);
	free(receivers);
}

static void give_job(struct receivers *receivers, struct receiver *receiver,
		     struct receive_job *job)
{
	const struct receive_command last = {.kind = RECEIVE_CLOSE};

	receive_job_give(&receivers->jobs, job);
	if (job->command.kind != RECEIVE_PACKET)
		close(job->fd); /* the receiver, or the message to it, has it, too */
	if (job->command.kind == RECEIVE_FILE)
		descriptor_send(receiver->watch.fd, &last, sizeof(last), MSG_DONTWAIT, -1);
	receiver->job = job;
	receiver->busy = true;
	receiver->since = clock_now();
}

/*
 * The kernel passes no socket on that has others in its packets, too deep, and without root nothing
 * at all while the daemon's user has too many descriptors in the queues of sockets. A receiver that
 * is started anew inherits it. False: it cannot be started now.
 */
static bool serve_unsendable(struct receivers *receivers, struct receiver *receiver,
			     struct receive_job *job)
{
	if (job->command.kind == RECEIVE_PACKET) {
		receive_job_fail(&receivers->jobs, job);
		return true;
	}
	receiver_end(receiver);
	receiver = receiver_start(&receivers->processes, job->user->uid,
				  job->command.kind == RECEIVE_FILE ? RECEIVER_FILE : RECEIVER_REST,
				  job->fd);
	if (receiver)
		give_job(receivers, receiver, job);
	return receiver;
}

/* Gives the user's oldest job to an idle receiver. Returns the state of the receiver afterwards. */
static enum receiver_state serve_user(struct receivers *receivers, struct receive_user *user)
{
	struct receive_job *job;
	struct receiver *receiver;
	enum receiver_state state;
	int error;

	/* A failed job is freed by receivers_expire, not here, so `user` stays valid. */
	while ((job = TAILQ_FIRST(&user->waiting))) {
		state = receiver_find(&receivers->processes, user->uid, &receiver);
		if (state != RECEIVER_IDLE)
			return state;
		error = descriptor_send(receiver->watch.fd, &job->command, sizeof(job->command),
					MSG_DONTWAIT, job->fd);
		if (!error)
			give_job(receivers, receiver, job);
		else if (error != -ETOOMANYREFS) /* the receiver has ended, which its watch shows */
			return RECEIVER_BUSY;
		else if (!serve_unsendable(receivers, receiver, job))
			return RECEIVER_PAUSED;
	}
	return RECEIVER_BUSY;
}

/* Whether the user is to wait in the queue until it can have a receiver. */
static bool must_queue(enum receiver_state state)
{
	return state == RECEIVER_NO_SHARE || state == RECEIVER_NO_PLACE || state == RECEIVER_PAUSED;
}

static void serve_next(struct receivers *receivers, uid_t uid)
{
	struct receive_user *user = receive_jobs_user(&receivers->jobs, uid);

	if (user && must_queue(serve_user(receivers, user)))
		receive_user_queue(&receivers->jobs, user);
}

/*
 * Serves users in the queue until nobody can have a receiver: root is first there. Of users who
 * have their share there are no more than processes.
 */
static void serve_queue(struct receivers *receivers)
{
	struct receive_user *user, *next;
	enum receiver_state state;

	for (user = TAILQ_FIRST(&receivers->jobs.queue); user; user = next) {
		next = TAILQ_NEXT(user, others);
		state = serve_user(receivers, user);
		if (state == RECEIVER_NO_PLACE || state == RECEIVER_PAUSED)
			break;
		if (!must_queue(state))
			receive_user_unqueue(&receivers->jobs, user);
	}
}

unsigned receivers_waiting(const struct receivers *receivers, uid_t uid)
{
	return receive_jobs_count(&receivers->jobs, uid, RECEIVE_REST);
}

/* Whether many of the user's jobs of a kind wait and none was served lately. A burst alone is no
 * pile. */
static bool pile_up(const struct receivers *receivers, uid_t uid, enum receive_kind kind)
{
	const struct receive_user *user = receive_jobs_user(&receivers->jobs, uid);

	return user && user->counts[kind] >= RECEIVERS_WAITING_MAX &&
	       clock_now() - user->progress >= HANG_AFTER;
}

static bool has_room(const struct receivers *receivers, uid_t uid, enum receive_kind kind)
{
	const struct share_use use = receive_jobs_use(&receivers->jobs, uid, kind);

	return share_room(&receivers_share, &use);
}

/* Whether further jobs of the kind are to be refused, or kept by another process. */
static bool is_full(const struct receivers *receivers, uid_t uid, enum receive_kind kind)
{
	return pile_up(receivers, uid, kind) || !has_room(receivers, uid, kind);
}

bool receivers_are_behind(const struct receivers *receivers, uid_t uid)
{
	return pile_up(receivers, uid, RECEIVE_FILE) ||
	       (!has_room(receivers, uid, RECEIVE_FILE) &&
		!receiver_may_keep(&receivers->processes, uid));
}

/* Gives a socket or a file to a process that keeps it. False: it cannot. */
static bool keep_elsewhere(struct receivers *receivers, int fd, uid_t uid)
{
	const struct receive_command command = {.kind = RECEIVE_NOTHING};
	struct receiver *receiver = receiver_keeping(&receivers->processes, uid);

	if (!receiver)
		return false;
	receiver->keeps = true;
	return !descriptor_send(receiver->watch.fd, &command, sizeof(command), MSG_DONTWAIT, fd);
}

int receivers_take(struct receivers *receivers, int socket, uid_t uid, pid_t peer,
		   struct receive *receive)
{
	struct receive_job *job;

	if (is_full(receivers, uid, RECEIVE_PACKET) || receivers_are_behind(receivers, uid))
		return -EAGAIN;
	job = receive_job_new(&receivers->jobs, RECEIVE_PACKET, socket, uid);
	if (!job)
		return -ENOMEM;
	job->command.peer = peer;
	job->receive = receive;
	receive->job = job;
	serve_next(receivers, uid);
	return 0;
}

void receivers_close(struct receivers *receivers, int socket, uid_t uid, struct receive *receive)
{
	struct receive_job *job = receive ? receive->job : NULL;
	bool with_receiver = job && !job->list;

	shutdown(socket, SHUT_RDWR);
	if (with_receiver)
		job->receive = NULL;
	else if (job)
		receive_job_free(&receivers->jobs, job);
	if (receive)
		receive->job = NULL;
	/* Only one process may take packets: a receiver that has begun goes on. */
	if (!with_receiver && packets_empty(socket))
		close(socket);
	else if (is_full(receivers, uid, RECEIVE_REST) && keep_elsewhere(receivers, socket, uid))
		close(socket);
	else if (!receive_job_new(&receivers->jobs, RECEIVE_REST, socket, uid))
		log_error("out of memory: a connection of user %u cannot be closed", uid);
	else
		serve_next(receivers, uid);
}

void receivers_close_file(struct receivers *receivers, int fd, uid_t uid, uint64_t until,
			  struct receive *receive)
{
	const struct receive_result failed = {.size = -ECANCELED};
	struct receive_job *job;

	if (!is_full(receivers, uid, RECEIVE_FILE) || !keep_elsewhere(receivers, fd, uid)) {
		job = receive_job_new(&receivers->jobs, RECEIVE_FILE, fd, uid);
		if (job) {
			if (receive) {
				receive_job_await(&receivers->jobs, job, receive, until);
				receive->job = job;
			}
			serve_next(receivers, uid);
			return;
		}
		log_error("out of memory: a file of user %u cannot be closed", uid);
	} else {
		close(fd);
	}
	if (receive)
		receive->received(receive, &failed, NULL, -1);
}

static void leave_behind(struct receiver *receiver)
{
	struct receivers *receivers = receivers_of(receiver);
	struct receive_job *job = receiver->job;

	log_of_user(LOG_TOPIC_CONNECTIONS, receiver->uid, LOG_WARNING,
		    job && job->command.kind == RECEIVE_FILE
			    ? "a file of user %u takes long to close: process %d is left waiting "
			      "for it"
			    : "a process of user %u has passed a descriptor that cannot be closed: "
			      "process %d is left waiting for it",
		    receiver->uid, (int)receiver->pid);
	receiver->stuck = true;
	receiver->job = NULL;
	kill(receiver->pid, SIGKILL);
	if (job)
		fail_job(receivers, job);
	serve_next(receivers, receiver->uid);
}

/* Whether sockets and files of the user still have to be kept by another process. */
static bool needs_keeping(const struct receivers *receivers, uid_t uid)
{
	const struct receiver *receiver;

	LIST_FOREACH(receiver, &receivers->processes.list, others)
	if (receiver->uid == uid && (receiver->stuck || receiver->ended))
		return true;
	return receivers_waiting(receivers, uid) ||
	       receive_jobs_count(&receivers->jobs, uid, RECEIVE_FILE);
}

/* Returns when it is due again, UINT64_MAX for never. */
static uint64_t expire_receiver(struct receiver *receiver, uint64_t now)
{
	struct receivers *receivers = receivers_of(receiver);
	uid_t uid = receiver->uid;
	uint64_t due = receiver->since + (receiver->job    ? ANSWER_MAX
					  : receiver->busy ? STUCK_AFTER
							   : IDLE_END);

	if (receiver->ended) {
		if (!receiver_reap(receiver))
			return now + REAP_PAUSE;
		/* Its place is free again, also for its user. A receiver that starts now has a time
		 * limit. */
		serve_next(receivers, uid);
		return now;
	}
	if (receiver->stuck)
		return UINT64_MAX;
	if (receiver->keeps && needs_keeping(receivers, uid))
		return now + STUCK_AFTER;
	if (now < due && !receiver->keeps)
		return due;
	if (receiver->busy) {
		/* It may have answered in time, and the loop has been late. */
		if (!hear_receiver(receiver))
			leave_behind(receiver);
		return now; /* another one may have begun */
	}
	receiver_end(receiver);
	return now + REAP_PAUSE;
}

/* Whether a receiver that has the job has said something. The job may be freed then. */
static bool hear_of_job(struct receivers *receivers, const struct receive_job *job)
{
	struct receiver *receiver;

	if (job->list) /* it waits */
		return false;
	LIST_FOREACH(receiver, &receivers->processes.list, others)
	if (receiver->job == job)
		return hear_receiver(receiver);
	return false;
}

/* Answers -ETIMEDOUT for files that were not closed in time. Returns whether there were any. */
static bool expire_owners(struct receivers *receivers, uint64_t now)
{
	const struct receive_result late = {.size = -ETIMEDOUT};
	struct receive_job *job;
	bool any = false;

	while ((job = receive_jobs_late(&receivers->jobs, now))) {
		struct receive *receive;

		any = true;
		if (hear_of_job(receivers, job))
			continue;
		receive = receive_job_release(&receivers->jobs, job);
		receive->job = NULL;
		receive->received(receive, &late, NULL, -1);
	}
	return any;
}

uint64_t receivers_expire(struct receivers *receivers, uint64_t now)
{
	const struct receive_jobs *jobs = &receivers->jobs;
	struct receiver *receiver, *next_receiver;
	const struct receive_job *first;
	uint64_t next = UINT64_MAX, due;
	struct receive_job *job;
	bool called = false;

	serve_queue(receivers);
	/* Their owners close the sockets, which gives other jobs away. */
	while ((job = TAILQ_FIRST(&jobs->failed))) {
		fail_job(receivers, job);
		called = true;
	}
	called |= expire_owners(receivers, now);
	for (receiver = LIST_FIRST(&receivers->processes.list); receiver;
	     receiver = next_receiver) {
		next_receiver = LIST_NEXT(receiver, others);
		due = expire_receiver(receiver, now);
		if (due < next)
			next = due;
	}
	first = TAILQ_FIRST(&jobs->timed);
	if (first && first->until < next)
		next = first->until;
	if (!TAILQ_EMPTY(&jobs->queue) && receivers->processes.start_after > now &&
	    receivers->processes.start_after < next)
		next = receivers->processes.start_after;
	/* What owners have begun is due at other modules. */
	return called || !TAILQ_EMPTY(&jobs->failed) ? now : next;
}
