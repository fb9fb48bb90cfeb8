/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan_state.h - what the process table keeps with each mapping of another process
 *
 * Part of a struct mapping, so that it needs no memory of its own. Given to catalog_show_scanned;
 * after that only the process table (scan/) changes it.
 */
#ifndef PMEM2FS_CATALOG_SCAN_STATE_H
#define PMEM2FS_CATALOG_SCAN_STATE_H

#include <stdint.h>

struct process;

struct scan_state {
	struct process *process;            /* that has it; NULL: it is the keeper's */
	struct scan_state *next, *previous; /* of the same process */
	uint64_t number;                    /* of its scan events */
	/* Of a published one: the table of the process that it is in (inode number), and where. */
	uint64_t table, generation;
	uint32_t slot;
};

#endif
