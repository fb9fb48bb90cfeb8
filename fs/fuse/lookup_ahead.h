/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lookup_ahead.h - how many neighbours of a mapping have their facts read in its look-up
 *
 * A program that asks for one file after the other waits less often, the longer it goes on: as with
 * the read-ahead of files, each look-up of a mapping behind the last one doubles the number. Any
 * other look-up begins anew, so that a single file is not kept waiting for its neighbours. Used by
 * the request loop alone.
 */
#ifndef PMEM2FS_FUSE_LOOKUP_AHEAD_H
#define PMEM2FS_FUSE_LOOKUP_AHEAD_H

#include <stdint.h>

#define LOOKUP_AHEAD_MIN 64
#define LOOKUP_AHEAD_MAX 512 /* what users may wait for, of as many processes */

/* All zero at first. */
struct lookup_ahead {
	uint64_t number; /* of the last mapping whose facts had to be read */
	unsigned count;  /* that were read along with it */
};

/* To be called when the facts of the mapping with that number have to be read. */
static inline unsigned lookup_ahead(struct lookup_ahead *ahead, uint64_t number)
{
	/* Numbers of removed mappings are not used again, so that there are gaps. */
	if (number <= ahead->number || number - ahead->number > 2 * (uint64_t)ahead->count)
		ahead->count = LOOKUP_AHEAD_MIN;
	else if (ahead->count < LOOKUP_AHEAD_MAX)
		ahead->count *= 2;
	ahead->number = number;
	return ahead->count;
}

#endif
