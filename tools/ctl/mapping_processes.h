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

struct process_mapping {
	json_int_t pid;
	const char *origin; /* in the document */
	char *name;
	json_t *document;
};

struct mapping_processes {
	struct process_mapping *list;
	size_t count, room;
};

void mapping_processes_add(struct mapping_processes *processes, const char *name, json_t *document);

/* By process and origin, then by name: to be called before the following. */
void mapping_processes_sort(struct mapping_processes *processes);

bool mapping_processes_has(const struct mapping_processes *processes, pid_t pid);

/* A table with a line for each process and origin. Returns 0 or a negative errno. */
int mapping_processes_print(const struct mapping_processes *processes);

/* An array with an object for each process and origin. */
json_t *mapping_processes_json(const struct mapping_processes *processes);

void mapping_processes_clear(struct mapping_processes *processes);

#endif
