/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * examine.h - what the kernel says of one mapping
 *
 * Reads /proc and sysfs, and the file itself only where that cannot hang. Used by one thread at
 * a time.
 */
#ifndef PMEM2FS_EXAMINE_H
#define PMEM2FS_EXAMINE_H

#include "host/facts.h"
#include "libpmem2fs.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct question {
	uint64_t number; /* of the mapping */
	pid_t pid;       /* of who has it */
	bool foreign;    /* not our own keeper: neither its files nor its mounts are trusted */
	struct pmem2fs_record record; /* its label is not filled in */
	struct device
		*device; /* owned; below it when it was examined before, NULL: not yet, or none */
	uint64_t looked; /* the answer: clock_now() of the oldest of the facts */
	struct facts facts; /* the answer, but for the owner */
};

struct examiner;

struct examiner *examiner_new(void);
void examiner_free(struct examiner *examiner);

/*
 * Begins a row of questions about mappings that were all there at this moment: those up to the
 * number `newest`.
 */
void examiner_begin(struct examiner *examiner, uint64_t newest);

void examine(struct examiner *examiner, struct question *question);

#endif
