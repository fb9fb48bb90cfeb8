/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * holders_fake.c - see holders_fake.h
 */
#include "holders_fake.h"
#include <unistd.h>

static int wait_for_look(struct holders *holders, struct waiter *waiter)
{
	if (holders->result)
		return holders->result;
	waiter->next = holders->waiters;
	holders->waiters = waiter;
	return 0;
}

int holders_look(struct holders *holders, bool now, struct waiter *waiter)
{
	holders->looks++;
	holders->now = now;
	return wait_for_look(holders, waiter);
}

int holders_look_at(struct holders *holders, pid_t pid, struct waiter *waiter)
{
	holders->looks_at++;
	holders->pid = pid;
	return wait_for_look(holders, waiter);
}

void holders_give(struct holders *holders, pid_t pid, int pidfd, int table)
{
	holders->gifts++;
	holders->pid = pid;
	holders->pidfd = pidfd;
	holders->table = table;
	if (pidfd >= 0)
		close(pidfd);
}

bool holders_complete(const struct holders *holders)
{
	return holders->complete;
}

void holders_fake_wake(struct holders *holders)
{
	struct waiter *waiter = holders->waiters, *next;

	holders->waiters = NULL;
	for (; waiter; waiter = next) {
		next = waiter->next;
		waiter->wake(waiter);
	}
}
