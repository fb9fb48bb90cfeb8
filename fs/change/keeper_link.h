/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper_link.h - the worker's side of the commands to the keeper
 *
 * Owns the list of calls. Used by the request loop alone. A
 * call never waits: one function is called with its answer, and another one when it is overdue.
 */
#ifndef PMEM2FS_CHANGE_KEEPER_LINK_H
#define PMEM2FS_CHANGE_KEEPER_LINK_H

#include "protocol/command.h"
#include <stdbool.h>
#include <stdint.h>

/* Part of its caller's struct, which must stay until `answered` is called. */
struct keeper_call {
	struct keeper_call *next; /* of the link */
	struct command command;   /* all but its id, which the link sets */
	int fd;                   /* sent with it, and stays the caller's; -1: none */
	uint64_t answer_by;       /* clock_now() after which `overdue` is called, once; 0: never */
	bool sent;
	int file; /* that has come before the answer; -1: none */
	/* Takes ownership of `fd`, the file that the keeper has given back; -1: none. */
	void (*answered)(struct keeper_call *call, const struct command_reply *reply, int fd);
	void (*overdue)(struct keeper_call *call);
};

struct keeper_link;

struct keeper_link *keeper_link_new(int fd);
void keeper_link_free(struct keeper_link *link);

void keeper_link_call(struct keeper_link *link, struct keeper_call *call);

/* Reports to the keeper that the mount is served. */
void keeper_link_ready(struct keeper_link *link);

/*
 * Takes the answers that have come, and sends the calls that could not be sent before. To be called
 * when the descriptor is readable, or writable while keeper_link_waits. Returns 0 or -EPIPE: the
 * keeper has ended.
 */
int keeper_link_work(struct keeper_link *link);
bool keeper_link_waits(const struct keeper_link *link);

/*
 * Calls `overdue` where that is due and no answer has come, and sends again what the kernel has
 * refused: while memory is short, or, without root, too many descriptors are in the queues of
 * sockets. Then keeper_link_waits is false, since there is room. Returns when it is due next,
 * UINT64_MAX for never.
 */
uint64_t keeper_link_expire(struct keeper_link *link, uint64_t now);

/* A call has become overdue, and the keeper has answered nothing since, not even a ping. */
bool keeper_link_stuck(const struct keeper_link *link);

#endif
