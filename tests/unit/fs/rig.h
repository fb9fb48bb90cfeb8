/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rig.h - the modules of a worker without a kernel, with a keeper that is played by the test
 *
 * Commands wait at the far end of the socket until the test takes them, so that a test decides what
 * happens in which order. Carrying out a command really maps, in this process and its table.
 */
#ifndef TESTS_RIG_H
#define TESTS_RIG_H

#include "base/fd_watch.h"
#include "base/stuck_threads.h"
#include "base/time_quota.h"
#include "change/changes.h"
#include "change/hold_up.h"
#include "change/mapper.h"
#include "change/mapping_limits.h"
#include "fuse/invalidate.h"
#include "protocol/command.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The modules that tests use. */
struct modules {
	struct catalog *catalog;
	struct events *events;
	struct facts_cache *facts_cache;
	struct keeper_link *keeper;
	struct pmem2fs_table *table; /* of this process */
	struct pool *openers;
	struct pool *helpers; /* a lane is an enum rig_lane */
	struct quick_opener *quick_opener;
	struct quota loop_time;
	struct receivers *receivers;
	struct hold_up hold_up;
	struct process_table *process_table; /* NULL, or owned by the test */
	struct invalidate invalidate;        /* without a session */
	struct limits limits;
	struct mapper mapper;
	struct changes changes;
};

/* Lanes of the helpers: one thread each. */
enum rig_lane {
	LANE_INVALIDATE = 1,
	LANE_DEVICE_MONITOR,
	LANE_FACTS, /* and those after it: stuck_threads.h */
	LANE_SCAN = LANE_FACTS + STUCK_THREADS_MAX,
};

struct rig {
	struct modules modules;
	int epoll, wake;
	struct watch pools, keeper;
	int far;         /* the keeper's end of its socket */
	bool keeper_off; /* commands are not carried out by rig_run */
	void (*swept)(void *arg);
	void *arg;
};

/* The program of the daemon. */
extern const char rig_daemon[];

/* A received command. `fd` is -1 or its descriptor. */
struct taken {
	struct command command;
	int fd;
};

struct rig *rig_new(void);
/* Also unmaps what is still in the catalog. */
void rig_free(struct rig *rig);

/* Runs the loop until *done: serves what is ready, and carries out the keeper's commands. */
void rig_run(struct rig *rig, const bool *done);
/* Serves what is ready now. */
void rig_poll(struct rig *rig);
/* Waits for something to happen. */
void rig_wait(struct rig *rig);

/*
 * The keeper's side: receives a command (false: there is none), carries it out and answers, or
 * answers only, with this error.
 */
bool rig_take(struct rig *rig, struct taken *taken);
void rig_carry_out(struct rig *rig, struct taken *taken);
void rig_answer(struct rig *rig, struct taken *taken, int error);

/* Makes a file of 16 KiB to map; its path is to be unlinked and freed. */
char *rig_new_file(void);

/* How many mappings this process has in its table. */
unsigned rig_mapped(struct rig *rig);

/* Starts the receiver of a user, whose socket is then among the descriptors of this process. */
void rig_start_receiver(struct receivers *receivers, uid_t uid);
/* Waits until the receiver of a user has closed all files that it was given. */
void rig_finish_closing(struct rig *rig, uid_t uid);
/* The receiver that was started last. */
pid_t rig_receiver(void);

/* How many descriptors this process has open. */
unsigned rig_descriptors(void);

#endif
