/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.h - lines for the administrator
 *
 * To stderr in the foreground, else to syslog. A line names the object and the reason. Control
 * characters are spelled \xNN, so that no name can forge a line. In the worker a thread of its own
 * writes, so that a stuck log daemon cannot stop a request; what it cannot keep up with is dropped
 * and counted.
 */
#ifndef PMEM2FS_LOG_H
#define PMEM2FS_LOG_H

#include <stdbool.h>
#include <syslog.h>

/* Once per process, before any line. */
void log_open(bool foreground, bool debug);
/* Goes over from stderr to syslog, and lets go of stderr: the daemon is up. */
void log_leave_terminal(void);
/* From here on a thread of its own writes. */
void log_start_thread(void);
/* Writes out what is waiting, for at most a second. */
void log_close(void);

/* `priority` as in syslog(3); LOG_DEBUG lines are made only with -d. Keeps errno. */
void log_line(int priority, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));

#define log_error(...)   log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_DEBUG, __VA_ARGS__)

#endif
