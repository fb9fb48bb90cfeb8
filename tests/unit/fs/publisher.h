/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publisher.h - a process that maps and publishes what a test wants, true or not
 */
#ifndef PMEM2FS_TEST_PUBLISHER_H
#define PMEM2FS_TEST_PUBLISHER_H

#include "format/table.h"
#include "libpmem2fs.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE 4096ul

/* Addresses that are free in the test and in its children. */
#define PLACE_SIZE (1ul << 30)
extern unsigned char *place;

/* Runs `step` in a child, first with 0 and then once more for each publisher_step. */
struct publisher {
	pid_t pid;
	int to, from;
};

void publisher_start(struct publisher *publisher, void (*step)(unsigned number));
void publisher_step(struct publisher *publisher);
/* Kills it and waits for its end. */
void publisher_stop(struct publisher *publisher);

/* An unlinked file of that size, on a real file system. */
int publisher_file(size_t size);

/* --- for steps: a failure ends the child --- */

void must(int condition);

/* Maps pages of a file (-1: memory) at a page of the place. */
void put(size_t page, size_t pages, int protection, int flags, int fd, size_t file_page);
void take(size_t page, size_t pages);

/* Makes a table with that many slots, as the library does, with this name, version and seals. */
struct table_header *forge_table(const char *name, uint32_t version, uint32_t slots, int seals);
/* The same, and stores the descriptor, which forge_table closes. */
struct table_header *forge_table_fd(const char *name, uint32_t version, uint32_t slots, int seals,
				    int *fd);

/* The record that the library would publish for the same put(). */
struct pmem2fs_record truth(size_t page, size_t pages, int fd, size_t file_page);

/* Publishes the record unchecked, with the next generation of the slot. */
void publish(struct table_header *table, uint32_t slot, const struct pmem2fs_record *record);
void retire(struct table_header *table, uint32_t slot);

#endif
