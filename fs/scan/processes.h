/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * processes.h - the processes of the process table, and which mappings each of them has
 *
 * Owns the processes, watches for their ends, and removes their mappings from the catalog. Only the
 * process table, of which this is a part, changes them. Used by the request loop alone.
 */
#ifndef PMEM2FS_SCAN_PROCESSES_H
#define PMEM2FS_SCAN_PROCESSES_H

#include "base/fd_watch.h"
#include "base/time_quota.h"
#include "catalog/catalog.h"
#include "catalog/events.h"
#include "catalog/mapping.h"
#include "host/mapping_facts.h"
#include "scan/scan_event.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

/* One process other than the keeper. */
struct process {
	struct watch watch;          /* of its pidfd, which becomes readable at its end */
	struct processes *processes; /* its owner */
	struct process *next;        /* in `ended` */
	uint64_t number;             /* the scanner's; 0: only a former scanner has reported it */
	LIST_ENTRY(process) former;  /* while number is 0: in `former` or `leaving` */
	bool found;                  /* the present scanner has found it; its report waits */
	uint64_t passed_over;        /* when the last scan of all began that did not look at it */
	pid_t pid;
	uid_t uid;              /* effective, as last reported */
	bool ending;            /* it has ended, or leaves: its mappings are being removed */
	char comm[17];          /* with which the names of its mappings begin */
	uint64_t scanned, cost; /* when the last scan of this process alone began, and its time */
	uint64_t looked;        /* the same of the last scan that has read its tables */
	/* All that it has: as reported, and what only a former scanner has reported. */
	struct scan_state *mappings, *former_mappings;

	/* Replaced by facts_cache.c, which reads it again; begun and put by processes.c: */
	struct process_info *info; /* owned; as it was last seen */
	uint64_t info_checked;     /* when that was; 0: not read by facts_cache.c so far */
};

struct processes {
	/* Set by the owner: all borrowed. */
	struct catalog *catalog;
	struct events *events;
	struct quota *loop_time; /* of all users */
	int epoll;

	size_t count;
	bool missed;                  /* something was reported that is not shown */
	void *by_number, *by_pid;     /* trees */
	void *mappings;               /* tree of struct scan_state */
	LIST_HEAD(, process) former;  /* reported by a former scanner, not by the present one */
	LIST_HEAD(, process) leaving; /* after process_leave */
	uint64_t ends_cost;           /* of ends of processes, in this round of the loop */
	struct process
		*ended; /* to be freed between rounds: the loop may have an event of theirs */
};

/* NULL: there is none. */
struct process *processes_find(const struct processes *processes, uint64_t number);
struct process *processes_find_pid(const struct processes *processes, pid_t pid);
struct mapping *processes_find_mapping(const struct processes *processes, uint64_t number);

/*
 * Begins the process of a report, or keeps it if a former scanner has reported it. Takes the pidfd
 * out of the report. *process is NULL when its end cannot be watched, or when it has ended and
 * another process has its pid: then it is not shown. False: to be called again, since an earlier
 * process with its pid still has mappings; *room of them, which is then 0, were removed.
 */
bool process_begin(struct processes *processes, struct scan_report *report, size_t *room,
		   struct process **process);

/* Removes the process with all its mappings. */
void process_end(struct process *process);

/*
 * The same in portions: removes up to *room mappings, and subtracts them from it. False: to be
 * called again. Until then its mappings are not found by their names.
 */
bool process_end_some(struct process *process, size_t *room);

/* Any of the mappings of a process, NULL: it has none. */
struct scan_state *process_any_mapping(const struct process *process);

/* Adds a mapping that is in the catalog. False: out of memory, and it is not added. */
bool process_add_mapping(struct process *process, struct scan_state *state);

/*
 * The present scanner has reported a mapping that a former one had reported. `number` is its new
 * number. False: out of memory, and the mapping is removed.
 */
bool process_keep_mapping(struct scan_state *state, uint64_t number);

/* Removes a mapping from its process and from the catalog. */
void process_forget_mapping(struct mapping *mapping);

/*
 * For a process that a former scanner has reported, and the present one does not report: `looked`,
 * it has no mappings; else it cannot be scanned, and may still have them, so that who waits for one
 * to go is not answered with success. processes_end_leaving removes them; until then they are not
 * found by their names.
 */
void process_leave(struct process *process, bool looked);
/*
 * Removes processes in `leaving`, while there is time for that in this round of the loop. Returns
 * when it is due again, UINT64_MAX for never.
 */
uint64_t processes_end_leaving(struct processes *processes);

/* A report could not be shown. Another scanner is needed, which reports everything again. */
void processes_note_missed(struct processes *processes, pid_t pid);

/* Another scanner begins, and gives numbers of its own: all processes are former ones. */
void processes_begin_anew(struct processes *processes);

/* To be called between rounds of the loop. */
void processes_free_ended(struct processes *processes);

#endif
