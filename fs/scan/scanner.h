/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scanner.h - finds the mappings of other processes
 *
 * Reads /proc and tables, trusting neither names nor tables, and opens nothing that could hang.
 * Used by one thread at a time; shares no data with other modules. A process is known while one of
 * its mappings is shown or it has a table; of the others nothing is kept between scans.
 */
#ifndef PMEM2FS_SCAN_SCANNER_H
#define PMEM2FS_SCAN_SCANNER_H

#include "base/clock.h"
#include "base/stuck_threads.h"
#include "scan/scan_event.h"
#include "scan/user_set.h"

enum scan_kind {
	SCAN_ONE,     /* the process `pid`, known or not */
	SCAN_CHANGED, /* the known processes whose tables have changed since they were scanned */
	SCAN_KNOWN,   /* all known processes */
	SCAN_ALL,     /* every process of the host */
};

/* A table that a process has passed through the socket. */
struct passed_table {
	struct passed_table *next;
	pid_t pid;
	uid_t uid; /* of the process when it connected */
	int pidfd; /* of the process, owned; if the process has ended, the table is dropped */
	int fd;    /* owned; -1: the process has a table, which only root can find */

	/* Set by the scan that has looked at it: */
	bool wanted;    /* the process has this table, or is left out */
	uint64_t inode; /* of the table; 0: not known */

	struct passed_table *copy; /* of passed_tables.c; not for the scanner */
};

struct scan {
	enum scan_kind kind;
	pid_t pid;
	struct passed_table *tables; /* since the scan before; see `seen` */
	/*
	 * Users of whose processes reports are still to be taken in, the caller's. Their processes
	 * are not scanned, so that reports do not pile up, however many processes begin and end.
	 */
	struct user_set behind;
	bool between; /* SCAN_ONE: another scan has been begun, and goes on after it */
	/* Others wait for this part to end. Set at any time, from another thread: relaxed. */
	_Atomic bool pauses;

	/* The result. */
	/* Of `tables`, those that were looked at; the caller closes them, which may take long. */
	struct passed_table *seen;
	struct scan_report *report; /* a list, owned by the caller; of this part of the scan */
	bool more;                  /* to be called again */
	bool complete; /* SCAN_ALL: nothing was left out for lack of rights, time or room */
	bool looked;   /* SCAN_ONE: its tables were read, and every change is in the report */
	/*
	 * SCAN_ALL: every change of all processes is in the reports, except of those in
	 * `passed_over`, which were not scanned: their users have no time or their reports wait,
	 * threads are stuck in them, or memory has run out; or whose tables have a pause. The
	 * caller frees the list.
	 */
	bool came_through;
	pid_t *passed_over;
	size_t passed_count, passed_room;

	/* Of scanner.c; all zero at first. */
	unsigned stage;
	pid_t *pids; /* of this stage; the caller frees them */
	size_t count, next;
	pid_t waiting; /* first pid left to the next scan, which begins there; 0: none */
};

struct scanner;

/* Processes that are not scanned. */
struct scan_exclusions {
	pid_t own[2]; /* the daemon's; 0: none */
	/* Those that threads are stuck in: without them no scan is complete. */
	struct stuck_threads stuck_threads;
};

/* `skip` is borrowed, and may change. NULL when memory runs out. */
struct scanner *scanner_new(const struct scan_exclusions *skip);
void scanner_free(struct scanner *scanner);

/*
 * Makes a part of a scan. It ends at the end of a process, when others wait and it has lasted for
 * SCAN_PART, or when much is to be reported. As long as there is more, it is to be called again,
 * with the same struct; scans with `between` may be made meanwhile.
 */
#define SCAN_PART (CLOCK_SECOND / 200)
void scanner_scan(struct scanner *scanner, struct scan *scan);

/*
 * Whether SCAN_CHANGED would scan the process with that pid, or (0) any. Also true when more than
 * `most` processes would have to be asked, or not all have been asked at `until` (clock_now()). Not
 * while a scan is under way.
 */
bool scanner_has_changed(const struct scanner *scanner, pid_t pid, size_t most, uint64_t until);

/* The process that is being scanned now, 0: none. For other threads. */
pid_t scanner_current_process(struct scanner *scanner);

#endif
