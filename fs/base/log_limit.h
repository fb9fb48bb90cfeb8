/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log_limit.h - how many lines of the log each user may cause
 *
 * On one topic, a user may cause LOG_LIMIT_BURST lines at once, and from then on one in each
 * LOG_LIMIT_PERIOD. The others are left out and counted, and a line says later how many there were.
 * Root has an allowance of its own, and so have LOG_LIMIT_USERS other users; if there are more at a
 * time, these share one, so that the memory is constant, and so that the number of lines is limited
 * however many user ids one person has. Owns the allowances; the caller owns the lock and the clock
 * (clock.h). Calls libc only.
 */
#ifndef PMEM2FS_BASE_LOG_LIMIT_H
#define PMEM2FS_BASE_LOG_LIMIT_H

#include "base/clock.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LOG_LIMIT_BURST  30
#define LOG_LIMIT_PERIOD (10 * CLOCK_SECOND)
#define LOG_LIMIT_REPORT (60 * CLOCK_SECOND) /* after the first line that is left out */
#define LOG_LIMIT_USERS  64
#define LOG_LIMIT_TEXT   128 /* of log_limit_report */

enum log_topic {
	LOG_TOPIC_REQUESTS,    /* of the user, which failed */
	LOG_TOPIC_CONNECTIONS, /* of the user, which were refused or closed */
	LOG_TOPIC_PROCESSES,   /* of the user, of which something cannot be shown */
	LOG_TOPIC_DAEMON, /* what the daemon itself cannot do, for want of memory or the like */
	LOG_TOPICS,
};

struct log_allowance {
	uid_t uid;
	uint64_t paid;      /* when all lines so far are paid for; each costs LOG_LIMIT_PERIOD */
	uint64_t left_out;  /* lines that no report has counted */
	uint64_t report_by; /* only if `left_out` */
};

/* All zero at the beginning. */
struct log_limit {
	struct log_allowance allowances[LOG_TOPICS][LOG_LIMIT_USERS + 2];
};

/* Whether `uid` may cause a line now. If not, the line is counted. */
bool log_limit_take(struct log_limit *limit, enum log_topic topic, uid_t uid, uint64_t now);

/* When log_limit_report has something to say; UINT64_MAX: never. */
uint64_t log_limit_due(const struct log_limit *limit);

/*
 * The next line that says how many were left out. False: none is due. With UINT64_MAX for `now`,
 * all are.
 */
bool log_limit_report(struct log_limit *limit, uint64_t now, char text[LOG_LIMIT_TEXT]);

#endif
