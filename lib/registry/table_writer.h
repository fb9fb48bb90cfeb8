/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table_writer.h - making and writing the table of this process's mappings in shared memory
 *
 * format/table.h defines its layout. No function takes a lock: every one is called with the
 * library's lock held.
 */
#ifndef PMEM2FS_LIB_REGISTRY_TABLE_WRITER_H
#define PMEM2FS_LIB_REGISTRY_TABLE_WRITER_H

#include "format/table.h"

/*
 * Whether this process has to make a table first: it has none and no attempt has failed, or the
 * table belongs to the process that it was forked from.
 */
bool table_missing(void);

bool table_exists(void);

/*
 * In the child of a fork that interrupted a call of the library: gives the call private memory to
 * write to in place of the parent's table.
 */
void table_stand_in(void);

/* Whether the environment (PMEM2FS=off) forbids a table. */
bool table_switched_off(void);

/* Identifies the table by the inode number of its memfd. 0: there is none. */
uint64_t table_inode(void);

/*
 * Makes a table whose slots are all unused. With `fd`, the caller gets its descriptor and owns it;
 * without, the descriptor is closed. After a failure, and after table_give_up, no further attempt
 * is made in this process. A table that exists already is kept, but no longer written, until
 * table_drop_old, so that readers find it complete. Only for threads that seccomp_probe.h permits.
 */
int table_make(int *fd);
void table_give_up(void);
void table_drop_old(void);

/*
 * begin opens a slot for writing; no reader accepts the slot before end, which counts the change.
 * The record has the ids of the process, and still the label of its previous mapping, with its
 * length, and zeros behind it. NULL: there is no table, no such slot or no memory for it.
 */
struct pmem2fs_record *table_begin(uint32_t index);
void table_end(uint32_t index);

/*
 * Marks a slot as free that was filled, and counts that. Nothing is done if that was before a fork,
 * and the child has no table yet.
 */
void table_retire(uint32_t index);

/*
 * Counts a change of what is mapped that no slot shows, or of a slot that was retired before the
 * change was complete. Nothing is done without a table of this process.
 */
void table_count_change(void);

/* Reports the generation of a slot. False: it holds no mapping. */
bool table_slot_generation(uint32_t slot, uint64_t *generation);

#endif
