/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scanner.h - finds the mappings of other processes
 *
 * Reads /proc and tables, trusting neither names nor tables, and opens nothing that could hang.
 * Used by one thread at a time, and by no other module's data. A process is known while it has a
 * mapping that is shown or a table; of the others nothing is kept between looks.
 */
#ifndef PMEM2FS_SCANNER_H
#define PMEM2FS_SCANNER_H

#include "base/lanes.h"
#include "scan/sighting.h"

enum look_kind {
	LOOK_ONE,   /* at the process `pid`, known or not */
	LOOK_KNOWN, /* at all that are known */
	LOOK_ALL,   /* at every process of the host */
};

/* A table that a process has handed over. */
struct given_table {
	struct given_table *next;
	pid_t pid;
	int pidfd; /* of who gave it, owned; -1: the kernel is too old to tell */
	int fd;    /* owned; -1: it has one, which only root can find */
};

struct look {
	enum look_kind kind;
	pid_t pid;
	struct given_table *tables; /* since the look before; used up */

	/* The answer. */
	struct news *news;
	bool complete; /* LOOK_ALL: nothing was left out for lack of rights, time or room */
};

struct scanner;

/* Processes that are not looked at. 0: none. */
struct skip {
	pid_t own[2];
	struct lanes lanes; /* without those in which others are stuck no look is complete */
};

/* `skip` is borrowed, and may change. NULL when memory runs out. */
struct scanner *scanner_new(const struct skip *skip);
void scanner_free(struct scanner *scanner);

void scanner_look(struct scanner *scanner, struct look *look);

/* For others meanwhile: the process that is being looked at just now, 0: none. */
pid_t scanner_at(struct scanner *scanner);

/* Whether all processes of the host can be looked at at all: our rights and our pid namespace. */
bool scanner_sees_all(void);

#endif
