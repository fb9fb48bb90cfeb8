/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_table.h - the processes that have mappings, and these mappings in the catalog
 *
 * Nothing is scanned while nobody asks. All processes of the host are scanned once a second at
 * most. Between that, a question has those scanned whose tables count changes since they were
 * scanned, so that what was published before the question, and only that, is in the answer: see
 * process_table_scan. The end of a process is noticed at once. Used by the request loop alone.
 */
#ifndef PMEM2FS_SCAN_PROCESS_TABLE_H
#define PMEM2FS_SCAN_PROCESS_TABLE_H

#include "base/thread_pool.h"
#include "base/time_quota.h"
#include "base/waiter.h"
#include "catalog/catalog.h"
#include "catalog/events.h"
#include "catalog/mapping.h"
#include "scan/processes.h"
#include "scan/user_scans.h"
#include <stdbool.h>
#include <sys/socket.h> /* struct ucred */
#include <sys/types.h>

struct process_table;

/* What a process table works with: all borrowed. */
struct process_table_config {
	struct catalog *catalog;
	struct events *events;
	struct pool *pool;
	unsigned first_lane; /* of the STUCK_THREADS_MAX lanes of the pool that scans use */
	int epoll;
	pid_t keeper;
	struct receivers *receivers;
	struct quota *loop_time; /* of all users */
	bool observe;            /* also what processes do not publish */
	/*
	 * Takes in what libraries have sent to the socket and nobody has read yet, so that a
	 * process that has begun to publish is known. May call process_table_pass_table. NULL:
	 * none.
	 */
	void (*hear)(void *arg);
	void *arg;
};

/* NULL when memory runs out. */
struct process_table *process_table_new(const struct process_table_config *config);
void process_table_free(struct process_table *process_table);

/*
 * Has processes scanned: all; the process that a mapping of that name would belong to; the process
 * with that pid, however recently that was done. Returns 0: the waiter is woken when it is done, or
 * takes too long; 1: it need not be done, and the waiter is not woken; -ENOMEM.
 *
 * The first two are for user `uid`. Afterwards, the catalog has what processes had published before
 * the call, and not what they had unmapped before, unless the scanner passes a process over since
 * its user has no time or too many mappings, or reads no tables in a pause. What is observed is a
 * second old at most. A user who has no time of the loop left gets what is known, or a scan of all
 * processes that is due.
 */
int process_table_scan(struct process_table *process_table, uid_t uid, struct waiter *waiter);
int process_table_scan_name(struct process_table *process_table, uid_t uid, const char *name,
			    struct waiter *waiter);
int process_table_scan_pid(struct process_table *process_table, pid_t pid, struct waiter *waiter);

/*
 * When the last scan began that has come to the process of the mapping, as clock_now(); 0: none
 * has. If the process had unmapped it before, the mapping would not be there.
 */
uint64_t process_table_seen(const struct process_table *process_table,
			    const struct mapping *mapping);

/*
 * Whether the catalog has the mappings of the process as a scan has found them that was begun at
 * `since` (clock_now()) or later.
 */
bool process_table_has_found(const struct process_table *process_table,
			     const struct process *process, uint64_t since);

/*
 * Whether the catalog is as a scan of this process alone, begun at `since` or later, has found it.
 * Not so while a report of the process waits for the time of its user, nor if scans since then have
 * left the process out, or its tables (in a pause).
 */
bool process_table_shows(const struct process_table *process_table, pid_t pid, uint64_t since);

/* Has all processes scanned for a user, however recently that was done (user_scans.h). */
void process_table_scan_for_user(struct process_table *process_table, struct user_scan *user_scan);

/*
 * A process (`who` when it connected) passes its table, or says that it has one (`table` is -1).
 * Takes ownership of both descriptors. Only a hint: a table is that of the process in whose areas
 * the kernel shows it.
 */
void process_table_pass_table(struct process_table *process_table, const struct ucred *who,
			      int pidfd, int table);

/* Whether the last scan of all processes left nothing out, and all that it found is shown. */
bool process_table_complete(const struct process_table *process_table);

/* To be called in each round of the loop. Returns when something is due next, UINT64_MAX for never.
 */
uint64_t process_table_expire(struct process_table *process_table, uint64_t now);

#endif
