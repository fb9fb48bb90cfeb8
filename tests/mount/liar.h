/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * liar.h - tables that were not written by the library
 *
 * For scripts of publishers (publisher.h): none of it uses cmocka.
 */
#ifndef PMEM2FS_TESTS_LIAR_H
#define PMEM2FS_TESTS_LIAR_H

#include "../send_packet.h"
#include "format/table.h"
#include "publisher.h"

#define LIAR_PAGE 4096

struct lie {
	int fd;
	size_t size;
	char *base;
	struct table_header *header;
	struct table_slot *slot;
};

/* Makes a table with that many slots, all unused. `flags` are those of memfd_create. */
void lie_make(struct lie *lie, uint32_t slots, unsigned flags);

/* Seals the table as the library does; the descriptor stays open. */
void lie_seal(struct lie *lie);

/* Fills in the record that is true of a mapping of this whole file. */
void truth(struct pmem2fs_record *record, int fd, void *address, size_t length);

/* Maps the file with mmap, not the library, and fills in the record that is true of it. */
void map_raw(const struct publisher *me, const char *name, struct pmem2fs_record *record);

/* Writes a record into a slot, with that label or its own (NULL). */
void write_record(struct lie *lie, uint32_t slot, const struct pmem2fs_record *record,
		  const char *label);

int connect_to(const struct fs *fs);

/* Sends a descriptor to the daemon as a table, and closes the connection. */
void hand_over(const struct fs *fs, int fd);

#endif
