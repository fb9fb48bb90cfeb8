/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper_link.c - see keeper_link.h
 */
#include "change/keeper_link.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/log.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define REFUSED_PAUSE (CLOCK_SECOND / 20)

struct keeper_link {
	int fd;
	uint64_t last_id;
	struct keeper_call ping; /* under way while stuck */
	bool stuck;
	uint64_t again; /* when to send again what the kernel has refused; 0: it has not */
	struct keeper_call *calls, **end; /* oldest first; those not sent yet are the last ones */
};

struct keeper_link *keeper_link_new(int fd)
{
	struct keeper_link *link = calloc(1, sizeof(*link));

	if (link) {
		link->fd = fd;
		link->end = &link->calls;
	}
	return link;
}

void keeper_link_free(struct keeper_link *link)
{
	free(link);
}

/*
 * False: there is no room now, or the kernel refuses the message for a while. With other errors the
 * keeper has ended, which reading shows.
 */
static bool send_call(struct keeper_link *link, struct keeper_call *call)
{
	int error = descriptor_send(link->fd, &call->command, sizeof(call->command), MSG_DONTWAIT,
				    call->fd);

	if (error == -EAGAIN)
		return false;
	if (error == -ENOBUFS || error == -ENOMEM || error == -ETOOMANYREFS) {
		link->again = clock_now() + REFUSED_PAUSE;
		return false;
	}
	call->sent = true;
	return true;
}

static bool any_unsent(const struct keeper_link *link)
{
	for (const struct keeper_call *call = link->calls; call; call = call->next)
		if (!call->sent)
			return true;
	return false;
}

static void send_calls(struct keeper_link *link)
{
	for (struct keeper_call *call = link->calls; call; call = call->next)
		if (!call->sent && !send_call(link, call))
			break;
}

void keeper_link_call(struct keeper_link *link, struct keeper_call *call)
{
	bool queue = any_unsent(link);

	call->next = NULL;
	call->sent = false;
	call->file = -1;
	call->command.id = ++link->last_id;
	*link->end = call;
	link->end = &call->next;
	if (!queue)
		send_call(link, call);
}

void keeper_link_ready(struct keeper_link *link)
{
	const struct command command = {.op = COMMAND_READY};

	descriptor_send(link->fd, &command, sizeof(command), 0, -1);
}

bool keeper_link_waits(const struct keeper_link *link)
{
	return !link->again && any_unsent(link);
}

static void answer_call(struct keeper_link *link, const struct command_reply *reply, int fd)
{
	for (struct keeper_call **at = &link->calls; *at; at = &(*at)->next) {
		struct keeper_call *call = *at;

		if (call->command.id != reply->id)
			continue;
		if (reply->returns) {
			call->file = fd;
			return;
		}
		*at = call->next;
		if (link->end == &call->next)
			link->end = at;
		call->answered(call, reply, call->file);
		return;
	}
	if (fd >= 0)
		close(fd);
	log_warning("the keeper answered a question that nobody asked");
}

int keeper_link_work(struct keeper_link *link)
{
	struct command_reply reply;
	ssize_t n;
	int fd;

	for (;;) {
		n = descriptor_receive(link->fd, &reply, sizeof(reply), MSG_DONTWAIT, &fd);
		if (n == -EMFILE) /* the file of an unmap; the answer comes without it */
			continue;
		if (n != sizeof(reply))
			break;
		reply.message[sizeof(reply.message) - 1] = '\0';
		link->stuck = false;
		answer_call(link, &reply, fd);
	}
	if (n != -EAGAIN && n != -EINTR)
		return -EPIPE;
	if (!link->again)
		send_calls(link);
	return 0;
}

static void ping_answered(struct keeper_call *call, const struct command_reply *reply, int fd)
{
	(void)reply;
	(void)fd;
	call->command.op = 0;
}

/* One call that takes long does not mean that others do: find out. */
static void ping_keeper(struct keeper_link *link)
{
	link->stuck = true;
	if (link->ping.command.op)
		return; /* an earlier ping is still under way */
	link->ping = (struct keeper_call){
		.command.op = COMMAND_PING,
		.fd = -1,
		.answered = ping_answered,
	};
	keeper_link_call(link, &link->ping);
}

static bool any_overdue(const struct keeper_link *link, uint64_t now)
{
	for (const struct keeper_call *call = link->calls; call; call = call->next)
		if (call->answer_by && call->answer_by <= now)
			return true;
	return false;
}

uint64_t keeper_link_expire(struct keeper_link *link, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	if (link->again && link->again <= now) {
		link->again = 0;
		send_calls(link);
	}
	/* Answers may have come in time, and the loop has been late. */
	if (any_overdue(link, now))
		keeper_link_work(link);
	for (struct keeper_call *call = link->calls; call; call = call->next) {
		if (!call->answer_by)
			continue;
		if (call->answer_by > now) {
			if (call->answer_by < next)
				next = call->answer_by;
			continue;
		}
		call->answer_by = 0;
		ping_keeper(link);
		call->overdue(call);
	}
	return link->again && link->again < next ? link->again : next;
}

bool keeper_link_stuck(const struct keeper_link *link)
{
	return link->stuck;
}
