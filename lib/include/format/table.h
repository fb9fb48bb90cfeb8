/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.h - the layout of a table of mappings, which a process shares with the daemon
 *
 * Version 1: a page with the header, then the slots. A slot's generation is 0 if it was never used,
 * odd while it is free or being written, even and not 0 while it holds a mapping. The generation
 * only grows. A slot that holds a mapping does not change.
 */
#ifndef PMEM2FS_LIB_FORMAT_TABLE_H
#define PMEM2FS_LIB_FORMAT_TABLE_H

#include "libpmem2fs.h"
#include <stdatomic.h>

#define TABLE_MAGIC     0x007366326d656d70ull /* "pmem2fs" and a zero, as little-endian bytes */
#define TABLE_VERSION   1
#define TABLE_SLOTS_MAX 1000000

struct table_header {
	uint64_t magic;
	uint32_t version;
	uint32_t header_size; /* offset of the first slot, bytes */
	uint32_t slot_size;
	uint32_t slot_count;
	int32_t pid; /* of the owner, in its own PID name space; not verified */
	/*
	 * No slot from this index on was ever used. Grows before the slot is used. Readers need it
	 * because they cannot ask the kernel where the file has data: a writer of the table can
	 * make that call wait for ever.
	 */
	_Atomic uint32_t used;
	/*
	 * Grows with each change: of a slot, of what is mapped of a mapping, and when the process
	 * replaces the table by another one. Stored, with release order, when the change is
	 * complete and before the call that makes it returns. 0: this library does not count.
	 */
	_Atomic uint64_t changes;
};

struct table_slot {
	_Atomic uint64_t generation;
	struct pmem2fs_record record;
};

_Static_assert(sizeof(struct table_header) == 40, "the header's layout is fixed");
_Static_assert(sizeof(struct pmem2fs_record) == 344, "the record's layout is fixed");
_Static_assert(sizeof(struct table_slot) == 352, "the slot's layout is fixed");

#define TABLE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

#endif
