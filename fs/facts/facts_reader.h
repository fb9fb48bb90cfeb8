/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * facts_reader.h - what the kernel says of one mapping
 *
 * Reads /proc and sysfs, and the file itself only where that cannot hang. Used by one thread at
 * a time.
 */
#ifndef PMEM2FS_FACTS_FACTS_READER_H
#define PMEM2FS_FACTS_FACTS_READER_H

#include "host/mapping_facts.h"
#include "libpmem2fs.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct facts_query {
	uint64_t number; /* of the mapping */
	pid_t pid;       /* of who has it */
	bool foreign;    /* not our own keeper: neither its files nor its mounts are trusted */
	struct pmem2fs_record record; /* its label is not filled in */
	struct device
		*device; /* owned; below it when it was examined before, NULL: not yet, or none */
	uint64_t looked; /* the answer: clock_now() of the oldest of the facts */
	struct facts facts; /* the answer, but for the owner */
};

struct facts_reader;

struct facts_reader *facts_reader_new(void);
void facts_reader_free(struct facts_reader *facts_reader);

/*
 * Begins a row of questions about mappings that were all there at this moment: those up to the
 * number `newest`.
 */
void facts_reader_begin(struct facts_reader *facts_reader, uint64_t newest);

void facts_reader_read(struct facts_reader *facts_reader, struct facts_query *query);

#endif
