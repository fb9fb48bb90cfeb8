/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan_queue.h - has the scanner scan processes, one scan after the other
 *
 * Owns the scanner, which a thread of the pool uses, and the queue of requests that wait for it.
 * The reports go to a listener. Used by the request loop alone.
 *
 * A process can make the thread that scans it wait, with old kernels for ever. No waiter waits
 * longer than a few seconds for a scan, nor for reports of a user who has no time left (whose
 * processes are not scanned meanwhile); a scanner that is stuck is left behind with its
 * thread, and another one begins anew, without that process.
 */
#ifndef PMEM2FS_SCAN_SCAN_QUEUE_H
#define PMEM2FS_SCAN_SCAN_QUEUE_H

#include "base/share.h"
#include "base/thread_pool.h"
#include "base/time_quota.h"
#include "base/waiter.h"
#include "scan/scanner.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h> /* struct ucred */
#include <sys/types.h>

/* How many passed tables may wait for the next scan: each of 96 users is sure of 16. */
extern const struct share scan_queue_share;

struct scan_listener {
	/* Something has changed: see report_queue.h. */
	bool (*report)(void *arg, struct scan_report *report, size_t *room);
	/* A scan of that process alone has ended; `looked`: its tables were read. */
	void (*scanned_one)(void *arg, pid_t pid, uint64_t begun, uint64_t cost, bool looked);
	/* A scan of all has ended. Reports of users without time may not be taken in yet. */
	void (*scanned_all)(void *arg, const struct scan *scan);
	/* This scanner has found a process for the first time; its report may still wait. */
	void (*found)(void *arg, pid_t pid);
	/* Another scanner begins: it uses the same numbers again, and reports all that it finds. */
	void (*restarted)(void *arg);
	void *arg;
};

struct receivers;
struct scan_queue;

/*
 * `pool` is borrowed; STUCK_THREADS_MAX lanes of it, from `first_lane` on, are used. So is
 * `loop_time`, to which the taking in of reports is charged, and `receivers`, which close passed
 * tables. The keeper and this process are not scanned. NULL when memory runs out.
 */
struct scan_queue *scan_queue_new(struct pool *pool, unsigned first_lane, pid_t keeper,
				  struct receivers *receivers, struct quota *loop_time,
				  const struct scan_listener *listener);
void scan_queue_free(struct scan_queue *scan_queue);

/*
 * Has a scan made that begins after this call. `waiter` (may be NULL) is woken when it is done, or
 * takes too long. A scanner that has replaced another one knows no process: its first scan of more
 * than one process is one of all. Returns 0 or -ENOMEM.
 */
int scan_queue_request(struct scan_queue *scan_queue, enum scan_kind kind, pid_t pid,
		       struct waiter *waiter);

/* For the next scan: see process_table_pass_table. Takes ownership of both descriptors. */
void scan_queue_pass_table(struct scan_queue *scan_queue, const struct ucred *who, int pidfd,
			   int table);
/* Whether a table waits for the next scan: of that process, or of any (0). */
bool scan_queue_has_table(const struct scan_queue *scan_queue, pid_t pid);

/*
 * Whether a scan is needed to know what the tables of that process, or (0) of all known processes,
 * show at the time of the call: they have changed since they were scanned, a table waits for the
 * next scan, a scan is under way, or it would take too long to ask here.
 */
bool scan_queue_has_changed(struct scan_queue *scan_queue, pid_t pid);

/* A scan of all processes is under way. */
bool scan_queue_scans_all(const struct scan_queue *scan_queue);

/*
 * When the last scan of all processes and the last of the known processes began, in nanoseconds; 0:
 * never; and how long it took. A scan of all processes counts as one of the known processes, too,
 * but for the time.
 */
struct scan_times {
	uint64_t all, all_cost;
	uint64_t known, known_cost;
};
struct scan_times scan_queue_times(const struct scan_queue *scan_queue);

/*
 * Replaces the scanner by one that knows nothing, so that all is reported again. False: a scan is
 * under way, or memory runs out.
 */
bool scan_queue_restart(struct scan_queue *scan_queue);

/* Whether reports of the process with that number (the scanner's) are still to be taken in. */
bool scan_queue_has_report(const struct scan_queue *scan_queue, uint64_t process);

/* Whether scans leave that process of that user out, since threads are stuck (stuck_threads.h). */
bool scan_queue_leaves_out(const struct scan_queue *scan_queue, pid_t pid, uid_t uid);

/* Whether the last scan of all processes left nothing out, and all its reports are taken in. */
bool scan_queue_complete(const struct scan_queue *scan_queue);

/*
 * To be called in each round of the loop: passes on more of the reports of a scan, and sees to
 * scans that take too long. Returns when something is due next, UINT64_MAX for never.
 */
uint64_t scan_queue_expire(struct scan_queue *scan_queue, uint64_t now);

#endif
