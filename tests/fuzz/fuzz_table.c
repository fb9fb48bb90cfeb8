/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_table.c - whatever a table holds, its reader returns only what can be a mapping
 */
#include "format/table.h"
#include "input_file.h"
#include <fcntl.h>
#include <string.h>

#define PAGE 4096

/* What the users of a record rely on. */
static void check_record(const struct pmem2fs_record *record)
{
	REQUIRE(record->address && record->address % PAGE == 0 && record->length);
	REQUIRE(record->address + record->length >= record->address);
	REQUIRE(record->offset <= INT64_MAX - record->length);
	REQUIRE(record->source_type >= PMEM2FS_SOURCE_ANONYMOUS &&
		record->source_type <= PMEM2FS_SOURCE_DEVDAX);
	REQUIRE(record->granularity <= PMEM2_GRANULARITY_PAGE);
	REQUIRE(record->required <= PMEM2_GRANULARITY_PAGE);
	REQUIRE(record->sharing <= PMEM2_PRIVATE && record->protection <= 7);
	REQUIRE(!memchr(record->label, '/', record->label_length));
	REQUIRE(!memchr(record->label, '\0', record->label_length));
}

/* Takes ownership of the descriptor. */
static void read_table(int fd)
{
	struct pmem2fs_record record, again;
	struct pmem2fs_table *table;
	uint64_t generation, same;
	uint32_t bad = 0;

	REQUIRE(fcntl(fd, F_ADD_SEALS, TABLE_SEALS) == 0);
	if (pmem2fs_table_open(&table, fd) != 0) {
		close(fd);
		return;
	}
	for (uint32_t slot = 0; pmem2fs_table_next(table, &slot, &generation, &record, &bad) == 0;
	     slot++) {
		REQUIRE(slot < pmem2fs_table_slots(table));
		REQUIRE(generation && generation % 2 == 0);
		check_record(&record);
		REQUIRE(pmem2fs_table_read(table, slot, &same, &again) == 0);
		REQUIRE(same == generation && !memcmp(&again, &record, sizeof(record)));
	}
	REQUIRE(bad <= pmem2fs_table_slots(table));
	pmem2fs_table_close(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct table_header header = {
		.magic = TABLE_MAGIC,
		.version = TABLE_VERSION,
		.header_size = sizeof(header),
		.slot_size = sizeof(struct table_slot),
		.slot_count = (uint32_t)(size / sizeof(struct table_slot)),
		.used = (uint32_t)(size / sizeof(struct table_slot)),
	};
	int slots = input_file(&header, sizeof(header));

	/* The input is all of a table, and the slots of one with a good header. */
	read_table(input_file(data, size));
	REQUIRE(pwrite(slots, data, size, sizeof(header)) == (ssize_t)size);
	read_table(slots);
	return 0;
}
