/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scanned_process.h - one process over several looks: its areas, its tables, and what was told of
 * it
 */
#ifndef PMEM2FS_SCANNED_PROCESS_H
#define PMEM2FS_SCANNED_PROCESS_H

#include "base/extents.h"
#include "host/dax.h"
#include "scan/scan_event.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SCANNED_TABLES_MAX 4

/* A mapping that was told of. */
struct reported_mapping {
	uint64_t number;
	uint64_t place;    /* published: slot; observed: address */
	uint64_t identity; /* published: generation; observed: of file and offset, as one number */
	uint64_t digest;   /* of the record */
	struct extents *extents;
};

/* By place. */
struct reported_mappings {
	size_t count;
	struct reported_mapping *list;
};

struct scanned_table {
	uint64_t inode;
	struct pmem2fs_table *reader;
	bool mapped; /* in the areas, when they were last read */
	struct reported_mappings told;
};

struct scanned_process {
	uint64_t number;
	pid_t pid;
	int pidfd;
	uid_t uid;
	gid_t gid;
	bool told; /* at least one mapping */
	bool warned_version;
	bool fresh;      /* the scanner's: it has handed a table over since it was looked at */
	uint64_t looked; /* the scanner's */
	size_t table_count;
	struct scanned_table tables[SCANNED_TABLES_MAX];
	struct reported_mappings observed;
};

/* What a look works with. */
struct scan_context {
	struct dax *dax;
	uid_t uid; /* effective ones of the process, by now */
	gid_t gid;
	uint64_t seed;    /* of digests */
	uint64_t numbers; /* last one given to a mapping */
	size_t room;      /* mappings that may be told of this process */
	bool left_out;    /* set: there are more */
};

/* Whether scanned_process_scan could find anything. 0 or 1, or why its areas cannot be read. */
int scanned_process_is_of_interest(pid_t pid, struct dax *dax);

/* `pidfd` is the new process's from then on. NULL when memory runs out. */
struct scanned_process *scanned_process_new(uint64_t number, pid_t pid, int pidfd);
void scanned_process_free(struct scanned_process *process);

bool scanned_process_is_alive(const struct scanned_process *process);

/* It has handed this over, which stays the caller's. */
void scanned_process_pass_table(struct scanned_process *process, int table);

/* How many mappings were told of. */
size_t scanned_process_count(const struct scanned_process *process);

/*
 * *news is what has changed, NULL for nothing. Errors: -ESRCH (it has ended), -EACCES and -EPERM
 * (not to be seen by us), or others after which all is as before: -ENOMEM, -EMFILE, ...
 */
int scanned_process_scan(struct scanned_process *process, struct scan_context *sight,
			 struct scan_report **report);

/* The news that it is gone, NULL if it was never told of or memory runs out. */
struct scan_report *scanned_process_gone(const struct scanned_process *process);

#endif
