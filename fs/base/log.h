/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.h - lines for the administrator
 *
 * Owns the lines of the process that are not written yet. Lines go to stderr in the foreground,
 * else to syslog. A line names the object and the reason. Control characters are written \xNN, so
 * that no name can forge a line. In the worker a thread of its own writes, so that a log daemon
 * that hangs cannot stop a request; lines that the thread cannot keep up with are dropped and
 * counted. Calls libc only; any thread may call log_line.
 */
#ifndef PMEM2FS_BASE_LOG_H
#define PMEM2FS_BASE_LOG_H

#include <stdbool.h>
#include <syslog.h>

/* Once per process, before any line. */
void log_open(bool foreground, bool debug);
/* The daemon is up: from here on lines go to syslog, and stderr is /dev/null. */
void log_leave_terminal(void);
/* From here on a thread writes the lines. */
void log_start_thread(void);
/* Waits, a second at most, until the thread has written all lines. */
void log_close(void);

/* `priority` as in syslog(3); LOG_DEBUG lines are made only with -d. Keeps errno. */
void log_line(int priority, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));

#define log_error(...)   log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_DEBUG, __VA_ARGS__)

#endif
