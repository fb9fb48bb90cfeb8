/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan_event.h - what a scan reports of the mappings of other processes
 *
 * Made by the scanner, in a thread, and taken in by the process table, in the loop: which processes
 * are new, which have gone, and of each only what has changed since the scan before.
 */
#ifndef PMEM2FS_SCAN_SCAN_EVENT_H
#define PMEM2FS_SCAN_SCAN_EVENT_H

#include "base/extents.h"
#include "libpmem2fs.h"
#include "protocol/document.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum scan_event_kind { SCAN_EVENT_NEW, SCAN_EVENT_CHANGED, SCAN_EVENT_GONE };

struct scan_event {
	enum scan_event_kind kind;
	enum origin origin; /* published or observed; never changes */
	/* Of the mapping: unique among all that one scanner reports, never used again. */
	uint64_t number;
	/*
	 * What the kernel knows is from the kernel, the rest is what the process says. uid and gid
	 * are the process's. Of an observed mapping, what nobody knows is 0 (document.h says what
	 * that is). Of one that is gone, nothing is filled in from here on.
	 */
	struct pmem2fs_record record;
	struct extents *extents; /* owned; what is still mapped; NULL: the whole */
	/* Published: where it is in which table. */
	uint64_t table; /* inode number of the memfd */
	uint64_t generation;
	uint32_t slot;
};

/* A process of which something has changed. Owns all that is in it. */
struct scan_report {
	struct scan_report *next;
	uint64_t process; /* number of the process, unique, never used again */
	bool born;        /* the first report of it */
	pid_t pid;
	uid_t uid; /* effective user of the process; if `gone`, as in its last report */
	bool gone; /* with all its mappings; the rest is then not filled in */
	gid_t gid;
	int pidfd;     /* when born: owned, to be taken over; else -1 */
	char comm[17]; /* at the time of the scan, terminated */
	size_t count;
	struct scan_event *list;
	size_t taken; /* by the process table, which may do so in portions: see there */
	/* Of report_queue.c, of the first report of a user: */
	struct scan_report *next_user, *last;
};

void scan_report_free(struct scan_report *report);

#endif
