/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_table_fake.h - in place of process_table.c, for tests of what calls it
 *
 * A scan waits until the test says that it is done.
 */
#ifndef TESTS_UNIT_FS_PROCESS_TABLE_FAKE_H
#define TESTS_UNIT_FS_PROCESS_TABLE_FAKE_H

#include "scan/process_table.h"

struct process_table {
	int result;    /* of the next scans */
	bool complete; /* what process_table_complete says */
	struct waiter *waiters;
	unsigned scans, pid_scans, passed_tables; /* calls */
	bool now;
	pid_t pid; /* of the last scan or passed table */
	int pidfd; /* of the last table, closed */
	int table; /* of the last table, the test's */
};

/* Wakes who waits. */
void process_table_fake_wake(struct process_table *process_table);

#endif
