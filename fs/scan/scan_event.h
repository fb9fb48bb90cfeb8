/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan_event.h - the mappings of other processes, as a look found them
 *
 * What the scanner, in a thread, tells the holders, in the loop: who has come, who has gone, and of
 * each process only what has changed since the look before.
 */
#ifndef PMEM2FS_SCAN_EVENT_H
#define PMEM2FS_SCAN_EVENT_H

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
	/* Of this mapping, unique among all that a scanner tells, never used again. */
	uint64_t number;
	/*
	 * Checked: what can be had from the kernel is the kernel's word, the rest is the owner's.
	 * uid and gid are the process's. Of an observed one, what nobody knows is 0 (document.h
	 * says which). Of one that is gone, nothing is filled in from here on.
	 */
	struct pmem2fs_record record;
	struct extents *extents; /* what is still mapped; NULL: the whole */
	/* Published: where it is told. */
	uint64_t table; /* inode number of the memfd */
	uint64_t generation;
	uint32_t slot;
};

/* A process of which something has changed. */
struct scan_report {
	struct scan_report *next;
	uint64_t process; /* number of the process, unique, never used again */
	bool born;        /* told of for the first time */
	bool gone;        /* with all its mappings; the rest is then not filled in */
	pid_t pid;
	uid_t uid; /* effective, as its mappings' */
	gid_t gid;
	int pidfd;     /* when born: for who gets the news, else -1 */
	char comm[17]; /* when this look was made, terminated */
	size_t count;
	struct scan_event *list;
	size_t heard; /* for who hears them: how far that is */
};

void scan_report_free(struct scan_report *report);

#endif
