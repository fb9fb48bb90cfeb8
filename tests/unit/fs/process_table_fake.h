/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_table_fake.h - in place of process_table.c, for tests of modules that call it
 *
 * A scan lasts until the test ends it. Names with a dot count as those of a process's mapping.
 */
#ifndef TESTS_UNIT_FS_PROCESS_TABLE_FAKE_H
#define TESTS_UNIT_FS_PROCESS_TABLE_FAKE_H

#include "scan/process_table.h"

struct process_table {
	int result;    /* of the next scans */
	bool complete; /* the result of process_table_complete */
	bool behind;   /* the result of process_table_shows is false */
	struct waiter *waiters;
	struct user_scan *user_scans;
	unsigned scans, user_scans_asked, name_scans, pid_scans,
		passed_tables; /* number of calls */
	uid_t user_scan_uid;   /* of the last user scan */
	pid_t pid;             /* of the last scan or passed table */
	int pidfd;             /* of the last passed table, closed */
	int table;             /* of the last passed table; the test closes it */
};

/* Wakes the waiters. */
void process_table_fake_wake(struct process_table *process_table);

#endif
