/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping_processes.h - the processes that map an object
 */
#ifndef PMEM2FS_CTL_MAPPING_PROCESSES_H
#define PMEM2FS_CTL_MAPPING_PROCESSES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What is asked of the daemon about a mapping (rows.h), in this order. */
enum process_field {
	HOLDS_NAME,
	HOLDS_ORIGIN,
	HOLDS_PID,
	HOLDS_COMM,
	HOLDS_EXE,
	HOLDS_CGROUP,
	HOLDS_STARTED,
	HOLDS_CREATED,
	HOLDS_MAPPED,
	PROCESS_FIELDS,
	/* For mapping_processes_json also: */
	HOLDS_DOCUMENT = PROCESS_FIELDS,
	PROCESS_FIELDS_JSON,
};

/* The columns of these fields. */
extern const char *const process_fields[PROCESS_FIELDS_JSON];

struct process_mapping {
	const char *const *fields; /* borrowed, as all texts below */
	const char *name, *origin;
	uint64_t pid, mapped;
};

struct mapping_processes {
	struct process_mapping *list;
	size_t count, room;
};

void mapping_processes_add(struct mapping_processes *processes, const char *const *fields);

/* Sorts by process and origin, then by name. To be called before the two functions below. */
void mapping_processes_sort(struct mapping_processes *processes);

bool mapping_processes_has(const struct mapping_processes *processes, pid_t pid);

/* A table with a line for each process and origin. Returns 0 or a negative errno. */
int mapping_processes_print(const struct mapping_processes *processes);

/* An array with an object for each process and origin. */
json_t *mapping_processes_json(const struct mapping_processes *processes);

void mapping_processes_clear(struct mapping_processes *processes);

#endif
