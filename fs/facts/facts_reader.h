/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * facts_reader.h - reads the facts of one mapping from the kernel
 *
 * From /proc and sysfs, and from the file itself only where that cannot hang. Owns what it keeps
 * from one query to the next; calls host/. Used by one thread at a time.
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
	pid_t pid;       /* of the process that has it */
	bool foreign;    /* not the keeper: neither its files nor its mounts are trusted */
	struct pmem2fs_record record; /* its label is not filled in */
	const char *path; /* shared_text.h, owned; where its file was before. NULL: not known, or
			     the areas are to be read: no scan has just done so */
	struct device *device; /* owned; below the mapping when it was read before; NULL: it was
				  not, or there was none */
	uint64_t read_at;      /* the answer: clock_now() of the oldest fact */
	struct facts facts;    /* the answer, without the owner */
	size_t badblock_room;  /* for how many bad ranges there is room in the facts */
};

struct facts_reader;

struct facts_reader *facts_reader_new(void);
void facts_reader_free(struct facts_reader *facts_reader);

/*
 * Begins a row of queries about mappings that are all mapped by now: those up to the number
 * `newest`. What was read of areas and files since `oldest` (clock_now()) serves for them.
 */
void facts_reader_begin(struct facts_reader *facts_reader, uint64_t newest, uint64_t oldest);

/* The next queries, that many, are about mappings of that process. */
void facts_reader_begin_process(struct facts_reader *facts_reader, pid_t pid, size_t queries);

void facts_reader_read(struct facts_reader *facts_reader, struct facts_query *query);

/* Frees what was read of areas and files. */
void facts_reader_rest(struct facts_reader *facts_reader);

#endif
