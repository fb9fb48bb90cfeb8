/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * failure.h - reports requests that have failed
 *
 * Calls the log and the events of the catalog.
 */
#ifndef PMEM2FS_CHANGE_FAILURE_H
#define PMEM2FS_CHANGE_FAILURE_H

#include <sys/types.h>

struct events;

/*
 * To the log and to the subscribers of events. `operation` is the event's word for what failed,
 * `name` the mapping's; `why` names the object and the reason.
 */
void failure_report(struct events *events, const char *operation, const char *name, uid_t uid,
		    int error, const char *why);

#endif
