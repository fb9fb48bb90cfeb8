/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper_link.h - the worker's side of the commands to the keeper
 *
 * Used by the request loop alone. A call never waits: its answer comes to a function, and so does
 * the news that it is overdue.
 */
#ifndef PMEM2FS_CHANGE_KEEPER_LINK_H
#define PMEM2FS_CHANGE_KEEPER_LINK_H

#include "protocol/command.h"
#include <stdbool.h>
#include <stdint.h>

/* A call is part of what its caller keeps for it, and must stay until `answered`. */
struct keeper_call {
	struct keeper_call *next; /* the link's */
	struct command command;   /* all but id */
	int fd;                   /* goes along, and is closed by the link; -1: none */
	uint64_t answer_by;       /* clock_now() after which `overdue` is called, once; 0: never */
	bool sent;
	void (*answered)(struct keeper_call *call, const struct command_reply *reply);
	void (*overdue)(struct keeper_call *call);
};

struct keeper_link;

struct keeper_link *keeper_link_new(int fd);
void keeper_link_free(struct keeper_link *link);

void keeper_link_call(struct keeper_link *link, struct keeper_call *call);

/* Says that the mount is served. */
void keeper_link_ready(struct keeper_link *link);

/*
 * Takes the answers that have come and sends what could not be sent before; to be called when
 * the descriptor is readable, or writable while keeper_link_waits. -EPIPE: the keeper is gone.
 */
int keeper_link_work(struct keeper_link *link);
bool keeper_link_waits(const struct keeper_link *link);

/* Calls `overdue` where it is due. Returns when that is due next, UINT64_MAX for never. */
uint64_t keeper_link_expire(struct keeper_link *link, uint64_t now);

/* The keeper has let a call become overdue, was asked whether it is there, and has answered nothing
 * since. */
bool keeper_link_stuck(const struct keeper_link *link);

#endif
