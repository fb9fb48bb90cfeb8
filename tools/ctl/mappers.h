/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mappers.h - the processes that map an object
 */
#ifndef PMEM2FS_CTL_MAPPERS_H
#define PMEM2FS_CTL_MAPPERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mapping {
	json_int_t pid;
	const char *origin; /* in the document */
	char *name;
	json_t *document;
};

struct mappers {
	struct mapping *list;
	size_t count, room;
};

void mappers_add(struct mappers *mappers, const char *name, json_t *document);

/* By process and origin, then by name: to be called before the following. */
void mappers_sort(struct mappers *mappers);

bool mappers_has(const struct mappers *mappers, pid_t pid);

/* A table with a line for each process and origin. Returns 0 or a negative errno. */
int mappers_print(const struct mappers *mappers);

/* An array with an object for each process and origin. */
json_t *mappers_json(const struct mappers *mappers);

void mappers_clear(struct mappers *mappers);

#endif
