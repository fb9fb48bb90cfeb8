/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scanned_process.h - the scanner's record of one process: its tables, and what was reported of it
 *
 * Kept from scan to scan by the scanner, and brought up to date by process_scan.h. Used by the
 * thread of the scanner.
 */
#ifndef PMEM2FS_SCAN_SCANNED_PROCESS_H
#define PMEM2FS_SCAN_SCANNED_PROCESS_H

#include "host/dax.h"
#include "host/proc_maps.h"
#include "scan/reported_mapping.h"
#include "scan/scan_event.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SCANNED_TABLES_MAX 4

struct scanned_table {
	uint64_t inode;
	struct pmem2fs_table *reader;
	bool mapped;      /* in the areas, when they were last read */
	uint64_t changes; /* its count before it was last read; 0: not known, or it has none */
	struct reported_mappings reported;
};

struct scanned_process {
	uint64_t number;
	pid_t pid;
	int pidfd;
	uid_t uid;
	bool reported; /* at least one mapping has been reported since the process is known */
	bool warned_version;
	bool has_new_table; /* the scanner's: it has passed a table since it was scanned */
	uint64_t scan;      /* the scanner's: number of the last scan that came to it */
	/* Of process_scan.c: */
	bool left_out;         /* not all of its mappings are shown */
	bool unsure;           /* the areas have changed since the tables were read */
	uint64_t areas;        /* hash of the areas, and whose they were, at the last scan */
	uint64_t pause;        /* ns; 0: the tables are read at each scan */
	uint64_t paused_until; /* as scan_context.now */
	size_t table_count;
	struct scanned_table tables[SCANNED_TABLES_MAX];
	struct reported_mappings observed;
};

/* What the scan of a process works with. */
struct scan_context {
	struct dax *dax;
	uint64_t now; /* clock_now() */
	uid_t uid;    /* the current effective ids of the process */
	gid_t gid;
	uint64_t seed;    /* of digests */
	uint64_t numbers; /* last one given to a mapping */
	size_t room;      /* mappings of this process that may be shown */
	bool left_out;    /* set: there are more */
	bool looked;      /* set: the tables were read, too */
	bool unsure;      /* set: they were not, and the areas are others than when they were */
};

/* Whether a scan could find anything. 0 or 1, or why its areas cannot be read. */
int scanned_process_is_of_interest(pid_t pid, struct dax *dax);

/* Takes ownership of `pidfd` unless memory runs out (NULL). */
struct scanned_process *scanned_process_new(uint64_t number, pid_t pid, int pidfd);
void scanned_process_free(struct scanned_process *process);

bool scanned_process_is_alive(const struct scanned_process *process);

/*
 * A table that the process has passed. The descriptor stays the caller's. Returns its inode, 0 if
 * it is no table.
 */
uint64_t scanned_process_pass_table(struct scanned_process *process, int table);
bool scanned_process_has_table(struct scanned_process *process, uint64_t inode);

/* Finds out which of the tables are still mapped, and opens new ones that the areas show. */
void scanned_process_find_tables(struct scanned_process *process, const struct maps *maps,
				 dev_t shmem);

/* The table's count of changes; 0: not known, or it has none. */
uint64_t scanned_table_changes(const struct scanned_table *table);

/*
 * Whether its tables may have changed since they were last read, or it has ended. Reads a number of
 * each table, and nothing else.
 */
bool scanned_process_has_changed(const struct scanned_process *process);

/* How many of its mappings are shown. */
size_t scanned_process_count(const struct scanned_process *process);

/* The report that it is gone; NULL: nothing of it was ever reported, or memory runs out. */
struct scan_report *scanned_process_gone(const struct scanned_process *process);

#endif
