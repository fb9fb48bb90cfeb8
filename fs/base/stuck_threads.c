/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stuck_threads.c - see stuck_threads.h
 */
#include "base/stuck_threads.h"
#include "base/clock.h"
#include "base/log.h"
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#define CHECK_PERIOD (CLOCK_SECOND / 2)
/* At one process: */
#define SLOW_AFTER  (2 * CLOCK_SECOND)
#define STUCK_AFTER (4 * CLOCK_SECOND)

const struct share stuck_threads_share = {
	.what = "threads that hang in their processes",
	.total = STUCK_THREADS_MAX - 1,
	.root = 7,
	.user = 3,
	.sure = 1,
};

static pid_t stuck_in(const struct stuck_threads *stuck_threads, unsigned lane)
{
	return atomic_load_explicit(&stuck_threads->stuck[lane], memory_order_relaxed);
}

bool stuck_threads_any(const struct stuck_threads *stuck_threads)
{
	for (unsigned i = 0; i < STUCK_THREADS_MAX; i++)
		if (stuck_in(stuck_threads, i))
			return true;
	return false;
}

bool stuck_threads_leave_out(const struct stuck_threads *stuck_threads, pid_t pid, uid_t uid)
{
	struct share_use use = {.uid = uid};

	for (unsigned i = 0; i < STUCK_THREADS_MAX; i++) {
		pid_t stuck = stuck_in(stuck_threads, i);

		if (!stuck)
			continue;
		if (stuck == pid)
			return true;
		share_count(&use,
			    atomic_load_explicit(&stuck_threads->users[i], memory_order_relaxed),
			    1);
	}
	return !share_room(&stuck_threads_share, &use);
}

static void warn(const struct stuck_threads *stuck_threads, pid_t pid, uid_t uid,
		 const char *consequence)
{
	log_of_user(LOG_TOPIC_PROCESSES, uid, LOG_ERR, "process %d cannot be looked at: %s",
		    (int)pid, consequence);
	if (stuck_threads_leave_out(stuck_threads, 0, uid))
		log_of_user(LOG_TOPIC_PROCESSES, uid, LOG_ERR,
			    "the same holds for all processes of user %u: too many of them cannot "
			    "be looked at",
			    (unsigned)uid);
}

bool stuck_threads_leave(struct stuck_threads *stuck_threads, pid_t pid, uid_t uid,
			 const char *consequence)
{
	for (unsigned i = 0; i < STUCK_THREADS_MAX; i++) {
		if (i == stuck_threads->now || stuck_threads->stuck[i])
			continue;
		atomic_store_explicit(&stuck_threads->users[stuck_threads->now], uid,
				      memory_order_relaxed);
		atomic_store_explicit(&stuck_threads->stuck[stuck_threads->now], pid,
				      memory_order_relaxed);
		stuck_threads->now = i;
		warn(stuck_threads, pid, uid, consequence);
		return true;
	}
	return false;
}

void stuck_threads_return(struct stuck_threads *stuck_threads, unsigned lane)
{
	atomic_store_explicit(&stuck_threads->stuck[lane], 0, memory_order_relaxed);
}

void progress_begin(struct progress *progress, uint64_t now)
{
	*progress = (struct progress){.since = now, .checked = now, .at_since = now};
}

uint64_t progress_due(const struct progress *progress)
{
	return progress->checked + CHECK_PERIOD;
}

enum progress_state progress_check(struct progress *progress, pid_t at, uint64_t now)
{
	progress->checked = now;
	if (at != progress->at) {
		progress->at = at;
		progress->at_since = now;
	}
	if (now - progress->at_since < SLOW_AFTER)
		return PROGRESS_NORMAL;
	return at && now - progress->at_since >= STUCK_AFTER ? PROGRESS_STUCK : PROGRESS_SLOW;
}
