/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.h - lines for the administrator
 *
 * Owns the lines of the process that are not written yet. Lines go to stderr in the foreground,
 * else to syslog. A line names the object and the reason. What a terminal would act on is written
 * \xNN (escape_for_terminal), so that no name can forge a line. A thread of its own writes, so that
 * nothing waits for a terminal that is stopped, a pipe that is full or a log daemon that hangs;
 * lines that the thread cannot keep up with are dropped and counted. Of lines that a user causes
 * only so many are written as log_limit.h allows. Calls libc and escape.h; any thread may call
 * log_line and log_of_user.
 */
#ifndef PMEM2FS_BASE_LOG_H
#define PMEM2FS_BASE_LOG_H

#include "base/log_limit.h"
#include <stdbool.h>
#include <sys/types.h>
#include <syslog.h>

/* Once per process, before any line. */
void log_open(bool foreground, bool debug);
/*
 * From here on a thread writes the lines. Not before a fork whose child goes on: it has no such
 * thread. Without memory for one, every thread writes its own lines.
 */
void log_start_thread(void);
/*
 * The daemon is up: what was logged so far goes to the terminal, for a second at most; from here on
 * lines go to syslog, and stderr is /dev/null.
 */
void log_leave_terminal(void);
/*
 * Waits, a second at most, until all lines are written, and how many were left out. The process can
 * end then, whatever the thread is stuck in.
 */
void log_close(void);

/* `priority` as in syslog(3); LOG_DEBUG lines are made only with -d. Keeps errno. */
void log_line(int priority, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));

/*
 * A line that `uid` has caused, and can cause again and again: by what it asks for, or by a process
 * of its own. For a fault of the daemon itself, as want of memory, `uid` is that of the daemon
 * (geteuid).
 */
void log_of_user(enum log_topic topic, uid_t uid, int priority, const char *format, ...)
	__attribute__((__format__(__printf__, 4, 5)));

#define log_error(...)   log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_DEBUG, __VA_ARGS__)

#endif
