/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_table_fake.c - see process_table_fake.h
 */
#include "process_table_fake.h"
#include <string.h>
#include <unistd.h>

static int wait_for_scan(struct process_table *process_table, struct waiter *waiter)
{
	if (process_table->result)
		return process_table->result;
	waiter->next = process_table->waiters;
	process_table->waiters = waiter;
	return 0;
}

int process_table_scan(struct process_table *process_table, uid_t uid, struct waiter *waiter)
{
	(void)uid;
	process_table->scans++;
	return wait_for_scan(process_table, waiter);
}

void process_table_scan_for_user(struct process_table *process_table, struct user_scan *user_scan)
{
	process_table->user_scans_asked++;
	process_table->user_scan_uid = user_scan->uid;
	if (process_table->result) {
		user_scan->done(user_scan, process_table->result);
		return;
	}
	user_scan->next = process_table->user_scans;
	process_table->user_scans = user_scan;
}

int process_table_scan_name(struct process_table *process_table, uid_t uid, const char *name,
			    struct waiter *waiter)
{
	(void)uid;
	process_table->name_scans++;
	return strchr(name, '.') ? wait_for_scan(process_table, waiter) : 1;
}

int process_table_scan_pid(struct process_table *process_table, pid_t pid, struct waiter *waiter)
{
	process_table->pid_scans++;
	process_table->pid = pid;
	return wait_for_scan(process_table, waiter);
}

bool process_table_shows(const struct process_table *process_table, pid_t pid, uint64_t since)
{
	(void)pid;
	(void)since;
	return !process_table->behind;
}

bool process_table_has_found(const struct process_table *process_table,
			     const struct process *process, uint64_t since)
{
	(void)process_table;
	(void)process;
	(void)since;
	return false;
}

void process_table_pass_table(struct process_table *process_table, const struct ucred *who,
			      int pidfd, int table)
{
	process_table->passed_tables++;
	process_table->pid = who->pid;
	process_table->pidfd = pidfd;
	process_table->table = table;
	if (pidfd >= 0)
		close(pidfd);
}

bool process_table_complete(const struct process_table *process_table)
{
	return process_table->complete;
}

void process_table_fake_wake(struct process_table *process_table)
{
	struct waiter *waiter = process_table->waiters, *next;
	struct user_scan *user_scan;

	while ((user_scan = process_table->user_scans)) {
		process_table->user_scans = user_scan->next;
		user_scan->done(user_scan, 0);
	}
	process_table->waiters = NULL;
	for (; waiter; waiter = next) {
		next = waiter->next;
		waiter->wake(waiter);
	}
}
