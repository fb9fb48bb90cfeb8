/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_table_fake.h - in place of process_table.c, for tests of what calls it
 *
 * A look waits until the test says that it is done.
 */
#ifndef TESTS_HOLDERS_FAKE_H
#define TESTS_HOLDERS_FAKE_H

#include "scan/process_table.h"

struct process_table {
	int result;    /* of the next looks */
	bool complete; /* what process_table_complete says */
	struct waiter *waiters;
	unsigned scan_queue, looks_at, gifts;
	bool now;
	pid_t pid; /* of the last look or gift */
	int pidfd; /* of the last gift, closed */
	int table; /* of the last gift, the test's */
};

/* Wakes who waits. */
void holders_fake_wake(struct process_table *process_table);

#endif
