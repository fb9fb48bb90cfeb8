/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scanner.h - finds the mappings of other processes
 *
 * Reads /proc and tables, trusting neither names nor tables, and opens nothing that could hang.
 * Used by one thread at a time, and by no other module's data. A process is known while it has a
 * mapping that is shown or a table; of the others nothing is kept between looks.
 */
#ifndef PMEM2FS_SCANNER_H
#define PMEM2FS_SCANNER_H

#include "base/stuck_threads.h"
#include "scan/scan_event.h"

enum scan_kind {
	SCAN_ONE,   /* at the process `pid`, known or not */
	SCAN_KNOWN, /* at all that are known */
	SCAN_ALL,   /* at every process of the host */
};

/* A table that a process has handed over. */
struct passed_table {
	struct passed_table *next;
	pid_t pid;
	int pidfd; /* of who gave it, owned; -1: the kernel is too old to tell */
	int fd;    /* owned; -1: it has one, which only root can find */
};

struct scan {
	enum scan_kind kind;
	pid_t pid;
	struct passed_table *tables; /* since the look before; used up */

	/* The answer. */
	struct scan_report *report;
	bool complete; /* SCAN_ALL: nothing was left out for lack of rights, time or room */
};

struct scanner;

/* Processes that are not looked at. 0: none. */
struct scan_exclusions {
	pid_t own[2];
	struct stuck_threads
		stuck_threads; /* without those in which others are stuck no look is complete */
};

/* `skip` is borrowed, and may change. NULL when memory runs out. */
struct scanner *scanner_new(const struct scan_exclusions *skip);
void scanner_free(struct scanner *scanner);

void scanner_scan(struct scanner *scanner, struct scan *scan);

/* For others meanwhile: the process that is being looked at just now, 0: none. */
pid_t scanner_current_process(struct scanner *scanner);

/* Whether all processes of the host can be looked at at all: our rights and our pid namespace. */
bool scanner_sees_all(void);

#endif
