/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hold_up.h - how long the processes of a user may make others wait
 *
 * Used by the request loop. The worker owns one account, which all that holds others up is charged
 * to: with an account for each way to do it, a user would have as many bursts as there are ways.
 * The processes of a user may hold others up for a burst, and then for a fiftieth of the time. Root
 * may always.
 *
 * A user that is made to wait by processes of somebody else is charged for that, too. So the kinds
 * have bursts of different length: what a user has waited for facts leaves it time to wait for
 * scans, and both leave it time to remove its mappings.
 *
 * Each second of hold-up makes a debt of fifty seconds. Debts shrink as time passes, all at the
 * same speed: up to sixteen debts by a second each second, more debts by sixteen seconds together.
 * While all users together owe less than sixteen bursts, each user may hold others up until its own
 * burst is over. Between that and twice as much, only a user that owes nothing may. It follows:
 *
 * - All users together, however many user ids one person has, hold others up for about 64 seconds
 *   and then for a third of the time: together they owe 3136 seconds (twice sixteen bursts) and
 *   the last hold-ups at most, and of each second of hold-up 50 seconds are owed, of which 16 go in
 *   a second. Waits so short that the callers do not charge them are not counted.
 * - A user that owes nothing may hold others up, unless more than 300 users have held others up by
 *   LOOKUPs, 50 by processes that rm waits for, or 30 by files that take a second to close: one
 *   hold-up of each of so many users costs less than sixteen bursts. With more users than that,
 *   all wait for debts to shrink, and the first to ask afterwards is served.
 */
#ifndef PMEM2FS_CHANGE_HOLD_UP_H
#define PMEM2FS_CHANGE_HOLD_UP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HOLD_UP_USERS 1024 /* whose debts are kept apart */

/* What others wait for. The time is the burst: how long a user may hold others up in all kinds
 * together. */
enum hold_up_kind {
	HOLD_UP_FACTS, /* a LOOKUP or READDIR, for facts: a quarter of a second */
	HOLD_UP_SCAN,  /* a LOOKUP, for a scan: half a second */
	HOLD_UP_RM,    /* rm, for a process, or for a file to be closed: 2 seconds */
};

/* All is zero at first. */
struct hold_up {
	uint64_t at; /* clock_now() up to which the debts have been reduced */
	unsigned count;
	struct {
		uid_t uid;
		uint64_t debt; /* in nanoseconds; not zero */
	} list[HOLD_UP_USERS];
};

bool hold_up_may(struct hold_up *hold_up, enum hold_up_kind kind, uid_t uid, uint64_t now);

/*
 * The user has held others up from `since` on. A user owes at most the limit of the kind and two of
 * its longest hold-ups, however many hold-ups of its threads overlap, and however late a stopped
 * daemon ends them.
 */
void hold_up_charge(struct hold_up *hold_up, enum hold_up_kind kind, uid_t uid, uint64_t since,
		    uint64_t now);

#endif
