/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.h - the table of this process's mappings in shared memory
 *
 * Its layout is that of format/table.h.
 *
 * None of the functions takes a lock: registry.c calls them with its own held.
 */
#ifndef PMEM2FS_LIB_REGISTRY_TABLE_H
#define PMEM2FS_LIB_REGISTRY_TABLE_H

#include "format/table.h"

/*
 * Whether this process should make a table first: it has none and has not failed to make one
 * before, or the one it knows of is that of the process that it was forked from.
 */
bool table_missing(void);

bool table_exists(void);

/*
 * In the child of a fork that a signal handler made in the middle of a call: what that call goes on
 * to write has a place, and shows nowhere.
 */
void table_stand_in(void);

/* Whether the environment says that there is to be none. */
bool table_switched_off(void);

/* Which one it is: the inode number of its memfd; 0: there is none. */
uint64_t table_inode(void);

/*
 * Makes the table, with all slots unused. With `fd`, the descriptor is the caller's; without, it
 * is closed. After a failure, and after table_give_up, no further attempt is made in this process.
 * A table that is there already is not used any more, and stays as it is until table_drop_old:
 * whoever looks meanwhile finds it whole. For threads that seccomp_probe.h permits.
 */
int table_make(int *fd);
void table_give_up(void);
void table_drop_old(void);

/*
 * For filling a slot: nobody sees the record before table_end. Its label is that of before, which
 * the length tells, and 0 behind. NULL: there is no table, no such slot or no memory for it.
 */
struct pmem2fs_record *table_begin(uint32_t index);
void table_end(uint32_t index);

/* Empties a slot that was filled, in this process or before a fork. */
void table_retire(uint32_t index);

/* The generation of a slot; false: it holds no mapping. */
bool table_slot_generation(uint32_t slot, uint64_t *generation);

#endif
