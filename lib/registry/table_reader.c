/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table_reader.c - reading the table of any process without trusting it
 *
 * Owns struct pmem2fs_table. Calls base/error, base/page and libc.
 *
 * The table is never mapped, and no offset that it contains is followed: every access is a bounded
 * pread of a file whose size is sealed. Its contents may change at any moment and may be anything.
 * A slot is accepted when two reads of it, the second begun after the first had ended, returned the
 * same bytes, with the generation of a live slot, and every field is possible.
 */
#include "base/error.h"
#include "base/page.h"
#include "registry/table_writer.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* How many slots pmem2fs_table_next reads at a time: 16 KiB. */
#define BATCH (16384 / sizeof(struct table_slot))

/* How often a changing slot is read again, and for how many slots of a sweep. */
#define TRIES   16
#define RETRIED 1024

/* A private copy of a slot. */
struct raw_slot {
	uint64_t generation;
	struct pmem2fs_record record;
};

_Static_assert(sizeof(struct raw_slot) == sizeof(struct table_slot), "one layout");

struct readings {
	struct raw_slot before[BATCH];
	struct raw_slot after[BATCH];
};

/* Two reads of consecutive slots, kept while pmem2fs_table_next goes through them. */
struct slot_batch {
	uint32_t next; /* the next slot to be returned */
	uint32_t left; /* slots not returned yet: the last ones of the arrays' `count` */
	uint32_t count;
	uint32_t retries;          /* remaining in this sweep */
	struct readings *readings; /* NULL: no sweep is under way */
};

struct pmem2fs_table {
	int fd;
	uint32_t header_size;
	uint32_t slot_count;
	struct slot_batch *batch;
};

static dev_t shmem_dev;
static int shmem_error;

/* Finds the device number of the file system of memfds. */
static void find_shmem(void)
{
	struct stat st;
	int fd = memfd_create("pmem2fs-probe", MFD_CLOEXEC);

	if (fd < 0)
		fd = memfd_create("pmem2fs-probe", MFD_CLOEXEC | 0x0008U /* MFD_NOEXEC_SEAL */);
	if (fd < 0 || fstat(fd, &st))
		shmem_error = -errno;
	else
		shmem_dev = st.st_dev;
	if (fd >= 0)
		close(fd);
}

/* Reads the whole range or fails. A file that ends before its end is -EINVAL. */
static int read_exactly(int fd, void *buffer, size_t size, uint64_t offset)
{
	char *at = buffer;
	ssize_t n;

	while (size) {
		n = pread(fd, at, size, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EINVAL;
		at += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int check_file(int fd, uint64_t *size)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct stat st;
	int seals;

	pthread_once(&once, find_shmem);
	if (shmem_error)
		return shmem_error;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_dev != shmem_dev)
		return -EINVAL;
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & TABLE_SEALS) != TABLE_SEALS)
		return -EINVAL;
	*size = (uint64_t)st.st_size;
	return 0;
}

static int check_header(int fd, uint64_t size, struct table_header *header)
{
	int ret;

	if (size < sizeof(*header))
		return -EPROTO;
	ret = read_exactly(fd, header, sizeof(*header), 0);
	if (ret)
		return ret;
	if (header->magic != TABLE_MAGIC)
		return -EPROTO;
	if (header->version != TABLE_VERSION)
		return -EPROTONOSUPPORT;
	if (header->slot_size != sizeof(struct table_slot) ||
	    header->header_size < sizeof(*header) || header->header_size % sizeof(uint64_t) ||
	    header->slot_count == 0 || header->slot_count > TABLE_SLOTS_MAX ||
	    header->header_size + (uint64_t)header->slot_count * header->slot_size > size)
		return -EINVAL;
	return 0;
}

int pmem2fs_table_open(struct pmem2fs_table **table_ptr, int fd)
{
	struct pmem2fs_table *table;
	struct table_header header;
	uint64_t size = 0;
	int ret;

	if (!table_ptr)
		return error_set(-EINVAL, "no place for the table given");
	ret = check_file(fd, &size);
	if (ret)
		return error_set(ret, "descriptor %d is not sealed shared memory", fd);
	ret = check_header(fd, size, &header);
	if (ret)
		return error_set(ret, "descriptor %d is no table: %s", fd, strerror(-ret));

	table = malloc(sizeof(*table));
	if (!table)
		goto no_memory;
	table->batch = malloc(sizeof(*table->batch));
	if (!table->batch)
		goto free_table;
	table->fd = fd;
	table->header_size = header.header_size;
	table->slot_count = header.slot_count;
	*table->batch = (struct slot_batch){.retries = RETRIED};
	*table_ptr = table;
	return 0;

free_table:
	free(table);
no_memory:
	return error_set(-ENOMEM, "out of memory for a table reader");
}

int pmem2fs_table_close(struct pmem2fs_table **table_ptr)
{
	struct pmem2fs_table *table = table_ptr ? *table_ptr : NULL;

	if (!table)
		return 0;
	close(table->fd);
	free(table->batch->readings);
	free(table->batch);
	free(table);
	*table_ptr = NULL;
	return 0;
}

uint32_t pmem2fs_table_slots(const struct pmem2fs_table *table)
{
	return table ? table->slot_count : 0;
}

int pmem2fs_table_changes(const struct pmem2fs_table *table, uint64_t *changes)
{
	uint64_t found;
	int ret;

	if (!table || !changes)
		return error_set(-EINVAL, "no %s given", table ? "place" : "table");
	ret = read_exactly(table->fd, &found, sizeof(found),
			   offsetof(struct table_header, changes));
	if (ret)
		return error_set(ret, "the header: %s", strerror(-ret));
	/* The slots are read after it. */
	atomic_thread_fence(memory_order_acquire);
	*changes = found;
	return 0;
}

static bool only_zeros(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

static bool label_possible(const struct pmem2fs_record *record)
{
	size_t length = record->label_length;

	return !memchr(record->label, '/', length) && !memchr(record->label, '\0', length) &&
	       only_zeros(record->label + length, sizeof(record->label) - length);
}

static bool range_possible(const struct pmem2fs_record *record)
{
	return record->address && record->address % page_size() == 0 && record->length &&
	       record->length <= INT64_MAX && record->address <= UINT64_MAX - record->length &&
	       record->offset <= INT64_MAX - record->length && record->source_size <= INT64_MAX &&
	       record->created <= INT64_MAX;
}

static bool source_possible(const struct pmem2fs_record *record)
{
	bool devdax = record->source_type == PMEM2FS_SOURCE_DEVDAX;

	if (record->source_type < PMEM2FS_SOURCE_ANONYMOUS ||
	    record->source_type > PMEM2FS_SOURCE_DEVDAX)
		return false;
	if (record->source_type == PMEM2FS_SOURCE_ANONYMOUS &&
	    (record->source_dev || record->source_inode))
		return false;
	return (record->source_rdev != 0) == devdax && record->alignment &&
	       !(record->alignment & (record->alignment - 1));
}

static bool record_possible(const struct pmem2fs_record *record)
{
	return range_possible(record) && source_possible(record) &&
	       record->granularity <= PMEM2_GRANULARITY_PAGE &&
	       record->required <= PMEM2_GRANULARITY_PAGE && record->sharing <= PMEM2_PRIVATE &&
	       record->protection <= 7 && !(record->flags & ~PMEM2FS_RECORD_MAP_SYNC) &&
	       label_possible(record);
}

static bool generation_is_live(uint64_t generation)
{
	return generation && generation % 2 == 0;
}

/*
 * Compares two reads of a slot. Returns 0, -ENOENT (not live), -EAGAIN (they differ) or -EBADMSG
 * (impossible).
 */
static int compare_readings(const struct raw_slot *before, const struct raw_slot *after)
{
	if (!generation_is_live(after->generation))
		return -ENOENT;
	if (memcmp(before, after, sizeof(*after)))
		return -EAGAIN;
	return record_possible(&after->record) ? 0 : -EBADMSG;
}

static uint64_t slot_offset(const struct pmem2fs_table *table, uint32_t slot)
{
	return table->header_size + (uint64_t)slot * sizeof(struct table_slot);
}

/* Reads a slot until two consecutive reads agree. */
static int read_slot(const struct pmem2fs_table *table, uint32_t slot, struct raw_slot *found)
{
	struct raw_slot readings[2];
	uint64_t offset = slot_offset(table, slot);
	int ret = read_exactly(table->fd, &readings[0], sizeof(readings[0]), offset);

	if (ret)
		return ret;
	for (int i = 1; i <= TRIES; i++) {
		ret = read_exactly(table->fd, &readings[i % 2], sizeof(readings[0]), offset);
		if (ret)
			return ret;
		ret = compare_readings(&readings[(i + 1) % 2], &readings[i % 2]);
		if (ret != -EAGAIN) {
			*found = readings[i % 2];
			return ret;
		}
	}
	return -EAGAIN;
}

static const char *slot_error(int error)
{
	switch (error) {
	case -ENOENT:
		return "holds no mapping";
	case -EAGAIN:
		return "keeps changing";
	case -EBADMSG:
		return "holds what cannot be a mapping";
	default:
		return strerror(-error);
	}
}

static void copy_out(const struct raw_slot *found, uint64_t *generation,
		     struct pmem2fs_record *record)
{
	if (generation)
		*generation = found->generation;
	*record = found->record;
}

int pmem2fs_table_read(const struct pmem2fs_table *table, uint32_t slot, uint64_t *generation,
		       struct pmem2fs_record *record)
{
	struct raw_slot found;
	int ret;

	if (!table || !record)
		return error_set(-EINVAL, "no %s given", table ? "place" : "table");
	if (slot >= table->slot_count)
		return error_set(-ERANGE, "slot %u: the table has %u", slot, table->slot_count);
	ret = read_slot(table, slot, &found);
	if (ret)
		return error_set(ret, "slot %u %s", slot, slot_error(ret));
	copy_out(&found, generation, record);
	return 0;
}

/* How many slots may have been used, according to the owner of the table. */
static int count_used(const struct pmem2fs_table *table, uint32_t *used)
{
	int ret = read_exactly(table->fd, used, sizeof(*used), offsetof(struct table_header, used));

	if (!ret && *used > table->slot_count)
		*used = table->slot_count;
	return ret;
}

/* -ENOENT: no slot from the first one on has been used. */
static int fill_batch(const struct pmem2fs_table *table, uint32_t first)
{
	struct slot_batch *batch = table->batch;
	uint32_t count, used;
	int ret;

	batch->left = 0;
	ret = count_used(table, &used);
	if (ret)
		return ret;
	if (first >= used)
		return -ENOENT;
	if (!batch->readings)
		batch->readings = malloc(sizeof(*batch->readings));
	if (!batch->readings)
		return -ENOMEM;
	count = used - first < BATCH ? used - first : BATCH;
	ret = read_exactly(table->fd, batch->readings->before, count * sizeof(struct raw_slot),
			   slot_offset(table, first));
	if (!ret)
		ret = read_exactly(table->fd, batch->readings->after,
				   count * sizeof(struct raw_slot), slot_offset(table, first));
	if (ret)
		return ret;
	batch->next = first;
	batch->left = count;
	batch->count = count;
	return 0;
}

/*
 * Makes the batch begin at `slot`. A batch is used once, from its beginning to its end, so that a
 * caller gets nothing that was read before its sweep reached the batch.
 */
static int need_batch(const struct pmem2fs_table *table, uint32_t slot)
{
	struct slot_batch *batch = table->batch;

	return batch->left && slot == batch->next ? 0 : fill_batch(table, slot);
}

/* Takes the next slot out of the batch. */
static int take_slot(const struct pmem2fs_table *table, struct raw_slot *found)
{
	struct slot_batch *batch = table->batch;
	uint32_t slot = batch->next++;
	uint32_t i = batch->count - batch->left--;
	const struct raw_slot *after = &batch->readings->after[i];
	int ret = compare_readings(&batch->readings->before[i], after);

	if (ret == -EAGAIN && batch->retries) {
		batch->retries--;
		return read_slot(table, slot, found);
	}
	*found = *after;
	return ret;
}

/* A program may have readers of many tables. */
static void end_sweep(const struct pmem2fs_table *table)
{
	free(table->batch->readings);
	table->batch->readings = NULL;
	table->batch->left = 0;
}

int pmem2fs_table_next(const struct pmem2fs_table *table, uint32_t *slot, uint64_t *generation,
		       struct pmem2fs_record *record, uint32_t *bad)
{
	struct raw_slot found;
	uint32_t at;
	int ret;

	if (!table || !slot || !record)
		return error_set(-EINVAL, "no %s given", table ? "place" : "table");
	if (*slot == 0)
		table->batch->retries = RETRIED;
	for (at = *slot; at < table->slot_count; at++) {
		ret = need_batch(table, at);
		if (ret == -ENOENT)
			break;
		if (ret)
			return error_set(ret, "slot %u: %s", at, strerror(-ret));
		ret = take_slot(table, &found);
		if (ret == 0) {
			copy_out(&found, generation, record);
			*slot = at;
			return 0;
		}
		if (ret == -EAGAIN || ret == -EBADMSG) {
			if (bad)
				++*bad;
		} else if (ret != -ENOENT) {
			return error_set(ret, "slot %u: %s", at, strerror(-ret));
		}
	}
	end_sweep(table);
	return error_set(-ENOENT, "no further mapping");
}
