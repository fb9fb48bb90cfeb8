/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rig.h - a worker's service without a kernel, with a keeper that the test plays
 *
 * Commands wait at the far end of the socket until the test takes them, so that a test decides
 * what happens in which order. Carrying one out really maps, in this process and its table.
 */
#ifndef TESTS_RIG_H
#define TESTS_RIG_H

#include "base/watch.h"
#include "options.h"
#include "protocol/command.h"
#include "service.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct rig {
	struct service service;
	struct options options;
	int epoll, wake;
	struct watch pools, keeper;
	int far;         /* the keeper's end of its socket */
	bool keeper_off; /* commands are not carried out by rig_run */
	void (*swept)(void *arg);
	void *arg;
};

/* A command as it arrived. `fd` is -1 or its descriptor. */
struct taken {
	struct command command;
	int fd;
};

struct rig *rig_new(void);
/* Also unmaps what is still shown. */
void rig_free(struct rig *rig);

/* Runs the loop until *done: what is ready is served, and the keeper does what it is told. */
void rig_run(struct rig *rig, const bool *done);
/* Serves what is ready now. */
void rig_poll(struct rig *rig);

/* The keeper takes a command (false: there is none), and answers it: truly or with this. */
bool rig_take(struct rig *rig, struct taken *taken);
void rig_carry_out(struct rig *rig, struct taken *taken);
void rig_answer(struct rig *rig, struct taken *taken, int error);

/* A file of 16 KiB that may be mapped, its path to be unlinked and freed. */
char *rig_new_file(void);

/* How many mappings this process has in its table. */
unsigned rig_mapped(struct rig *rig);

/* How many descriptors this process has open. */
unsigned rig_descriptors(void);

#endif
