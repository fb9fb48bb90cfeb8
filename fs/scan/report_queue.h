/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report_queue.h - reports of scans that are still to be taken in by the loop
 *
 * The time that this takes is charged to the user whose process a report is of. The reports of a
 * user who has none left wait, while those of others go on. Reports of one user stay in order. Used
 * by the request loop alone.
 */
#ifndef PMEM2FS_SCAN_REPORT_QUEUE_H
#define PMEM2FS_SCAN_REPORT_QUEUE_H

#include "base/time_quota.h"
#include "scan/scan_event.h"
#include "scan/user_set.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct report_queue {
	/* Set by the owner. */
	struct quota *loop_time; /* of all users; borrowed */
	/*
	 * Takes a report in, which stays the queue's. `*room` is how many events may be taken in
	 * now, and is counted down. False: it is called again for the rest.
	 */
	bool (*take)(void *arg, struct scan_report *report, size_t *room);
	void *arg;

	/* Of report_queue.c: the first report of each user who has any. */
	struct scan_report *first, *last;
};

/* Takes ownership of a list of reports. */
void report_queue_add(struct report_queue *queue, struct scan_report *reports);
void report_queue_clear(struct report_queue *queue);

/*
 * Takes in what can be within a millisecond. Returns whether there is more that need not wait for
 * its user's time.
 */
bool report_queue_work(struct report_queue *queue);

/* When a user whose reports wait will have time, UINT64_MAX: none waits. */
uint64_t report_queue_due(const struct report_queue *queue);

/* Whether a report of the process with that number waits. */
bool report_queue_has(const struct report_queue *queue, uint64_t process);

/* The users whose reports wait, for the caller to clear. Returns 0 or -ENOMEM. */
int report_queue_users(const struct report_queue *queue, struct user_set *users);

#endif
