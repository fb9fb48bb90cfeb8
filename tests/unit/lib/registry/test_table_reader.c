/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_table_reader.c - reading a table, whatever its owner has written there
 */
#include "table_helper.h"
#include <malloc.h>
#include <pthread.h>

#define FORGED_SLOTS 1000u

struct forgery {
	int fd;
	struct table_header *header;
	struct table_slot *slots;
	size_t size;
};

static struct forgery forge(void)
{
	struct forgery forgery = {
		.fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING),
		.size = PAGE + FORGED_SLOTS * sizeof(struct table_slot),
	};
	char *base;

	assert_ok(ftruncate(forgery.fd, (off_t)forgery.size));
	base = mmap(NULL, forgery.size, PROT_READ | PROT_WRITE, MAP_SHARED, forgery.fd, 0);
	assert_ptr_not_equal(base, MAP_FAILED);
	forgery.header = (struct table_header *)base;
	forgery.slots = (struct table_slot *)(base + PAGE);
	*forgery.header = (struct table_header){
		.magic = TABLE_MAGIC,
		.version = TABLE_VERSION,
		.header_size = PAGE,
		.slot_size = sizeof(struct table_slot),
		.slot_count = FORGED_SLOTS,
		.used = FORGED_SLOTS,
	};
	return forgery;
}

static void throw_away(struct forgery *forgery)
{
	assert_ok(munmap(forgery->header, forgery->size));
}

static const struct pmem2fs_record honest = {
	.address = 0x7f0000000000,
	.length = 5000,
	.source_size = 5000,
	.source_inode = 1,
	.alignment = PAGE,
	.source_type = PMEM2FS_SOURCE_FILE,
};

static void test_only_sealed_shared_memory(void **state)
{
	static const int seals[] = {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_FUTURE_WRITE, F_SEAL_SEAL};
	struct pmem2fs_table *table = (void *)1;
	int fd;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct forgery forgery = forge();

		assert_ok(fcntl(forgery.fd, F_ADD_SEALS, TABLE_SEALS & ~seals[i]));
		assert_int_equal(pmem2fs_table_open(&table, forgery.fd), -EINVAL);
		assert_ptr_equal(table, (void *)1);
		/* It is still the caller's. */
		assert_ok(close(forgery.fd));
		throw_away(&forgery);
	}
	fd = make_file(MIB);
	assert_int_equal(pmem2fs_table_open(&table, fd), -EINVAL);
	close(fd);
	fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	assert_int_equal(pmem2fs_table_open(&table, fd), -EINVAL);
	close(fd);
	assert_int_equal(pmem2fs_table_open(&table, -1), -EBADF);
	assert_int_equal(pmem2fs_table_open(NULL, 0), -EINVAL);
	fd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
	if (fd >= 0) {
		if (fcntl(fd, F_ADD_SEALS, TABLE_SEALS) == 0)
			assert_int_equal(pmem2fs_table_open(&table, fd), -EINVAL);
		close(fd);
	}
	assert_ok(pmem2fs_table_close(NULL));
}

static void test_lying_headers(void **state)
{
	static const struct {
		size_t offset;
		uint32_t value;
		int error;
	} cases[] = {
		{offsetof(struct table_header, magic), 1, -EPROTO},
		{offsetof(struct table_header, version), 0, -EPROTONOSUPPORT},
		{offsetof(struct table_header, version), 2, -EPROTONOSUPPORT},
		{offsetof(struct table_header, header_size), 0, -EINVAL},
		{offsetof(struct table_header, header_size), 8, -EINVAL},
		{offsetof(struct table_header, header_size), PAGE - 1, -EINVAL},
		{offsetof(struct table_header, header_size), PAGE + 8, -EINVAL},
		{offsetof(struct table_header, header_size), UINT32_MAX - 7, -EINVAL},
		{offsetof(struct table_header, slot_size), 0, -EINVAL},
		{offsetof(struct table_header, slot_size), 344, -EINVAL},
		{offsetof(struct table_header, slot_count), 0, -EINVAL},
		{offsetof(struct table_header, slot_count), FORGED_SLOTS + 1, -EINVAL},
		{offsetof(struct table_header, slot_count), UINT32_MAX, -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pmem2fs_table *table = (void *)1;
		struct forgery forgery = forge();

		memcpy((char *)forgery.header + cases[i].offset, &cases[i].value, 4);
		assert_ok(fcntl(forgery.fd, F_ADD_SEALS, TABLE_SEALS));
		assert_int_equal(pmem2fs_table_open(&table, forgery.fd), cases[i].error);
		assert_ptr_equal(table, (void *)1);
		close(forgery.fd);
		throw_away(&forgery);
	}
}

static void test_empty_and_tiny_files(void **state)
{
	struct pmem2fs_table *table;

	(void)state;
	for (off_t size = 0; size <= 31; size += 31) {
		int fd = memfd_create("tiny", MFD_CLOEXEC | MFD_ALLOW_SEALING);

		assert_ok(ftruncate(fd, size));
		assert_ok(fcntl(fd, F_ADD_SEALS, TABLE_SEALS));
		assert_int_equal(pmem2fs_table_open(&table, fd), -EPROTO);
		close(fd);
	}
}

/*
 * The used length of a table is not trusted either: nothing is read beyond it, nor beyond the end.
 */
static void test_lying_use(void **state)
{
	static const struct {
		uint32_t used;
		unsigned found;
	} cases[] = {{0, 0}, {1, 1}, {500, 1}, {501, 2}, {FORGED_SLOTS, 2}, {UINT32_MAX, 2}};
	struct forgery forgery = forge();
	struct pmem2fs_table *table;

	(void)state;
	forgery.slots[0] = (struct table_slot){.generation = 2, .record = honest};
	forgery.slots[500] = (struct table_slot){.generation = 2, .record = honest};
	assert_ok(fcntl(forgery.fd, F_ADD_SEALS, TABLE_SEALS));
	assert_ok(pmem2fs_table_open(&table, forgery.fd));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		forgery.header->used = cases[i].used;
		assert_int_equal(count_slots(table), cases[i].found);
	}
	assert_ok(pmem2fs_table_close(&table));
	throw_away(&forgery);
}

struct lie {
	size_t offset;
	size_t size;
	uint64_t value;
};

#define LIE(member, value)                                                                         \
	{                                                                                          \
		offsetof(struct pmem2fs_record, member), sizeof(honest.member), value              \
	}

static void test_lying_slots(void **state)
{
	static const struct lie lies[] = {
		LIE(address, 0),
		LIE(address, 0x7f0000000001),
		LIE(address, UINT64_MAX - 4095),
		LIE(length, 0),
		LIE(length, UINT64_MAX),
		LIE(length, (uint64_t)INT64_MAX + 1),
		LIE(offset, UINT64_MAX),
		LIE(offset, INT64_MAX),
		LIE(source_size, UINT64_MAX),
		LIE(created, UINT64_MAX),
		LIE(source_rdev, 1),
		LIE(alignment, 0),
		LIE(alignment, 4097),
		LIE(source_type, 0),
		LIE(source_type, 5),
		LIE(source_type, PMEM2FS_SOURCE_DEVDAX),
		LIE(source_type, PMEM2FS_SOURCE_ANONYMOUS),
		LIE(granularity, 3),
		LIE(required, 255),
		LIE(sharing, 2),
		LIE(protection, 8),
		LIE(flags, 2),
		LIE(label_length, 1),
		{offsetof(struct pmem2fs_record, label), 1, 'x'},
		{offsetof(struct pmem2fs_record, label) + 260, 1, 1},
	};
	struct forgery forgery = forge();
	struct pmem2fs_record record = {.address = 7};
	struct pmem2fs_table *table;
	uint64_t generation = 77;
	uint32_t slot = 0;
	uint32_t bad = 0;

	(void)state;
	assert_ok(fcntl(forgery.fd, F_ADD_SEALS, TABLE_SEALS));
	assert_ok(pmem2fs_table_open(&table, forgery.fd));
	assert_int_equal(pmem2fs_table_slots(table), FORGED_SLOTS);
	forgery.slots[500].generation = 4;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		forgery.slots[500].record = honest;
		memcpy((char *)&forgery.slots[500].record + lies[i].offset, &lies[i].value,
		       lies[i].size);
		assert_int_equal(pmem2fs_table_read(table, 500, &generation, &record), -EBADMSG);
		bad = 0;
		slot = 0;
		assert_int_equal(pmem2fs_table_next(table, &slot, &generation, &record, &bad),
				 -ENOENT);
		assert_int_equal(bad, 1);
		assert_int_equal(slot, 0);
		assert_int_equal(record.address, 7);
		assert_int_equal(generation, 77);
	}
	forgery.slots[500].record = honest;
	memcpy(forgery.slots[500].record.label, "a/b", 3);
	forgery.slots[500].record.label_length = 3;
	assert_int_equal(pmem2fs_table_read(table, 500, NULL, &record), -EBADMSG);

	forgery.slots[500].record = honest;
	assert_ok(pmem2fs_table_next(table, &slot, &generation, &record, NULL));
	assert_int_equal(slot, 500);
	assert_int_equal(generation, 4);
	assert_memory_equal(&record, &honest, sizeof(record));
	for (generation = 1; generation < 100; generation += 2) {
		forgery.slots[500].generation = generation;
		assert_int_equal(pmem2fs_table_read(table, 500, NULL, &record), -ENOENT);
	}
	assert_int_equal(pmem2fs_table_read(table, FORGED_SLOTS, NULL, &record), -ERANGE);
	assert_int_equal(pmem2fs_table_read(table, UINT32_MAX, NULL, &record), -ERANGE);
	slot = UINT32_MAX;
	assert_int_equal(pmem2fs_table_next(table, &slot, NULL, &record, NULL), -ENOENT);
	assert_int_equal(pmem2fs_table_read(NULL, 0, NULL, &record), -EINVAL);
	assert_int_equal(pmem2fs_table_slots(NULL), 0);
	assert_ok(pmem2fs_table_close(&table));
	throw_away(&forgery);
}

/* A new sweep sees the changes since the last one. */
static void test_sweeps_are_fresh(void **state)
{
	struct forgery forgery = forge();
	struct pmem2fs_record record;
	struct pmem2fs_table *table;
	uint32_t found[8];

	(void)state;
	assert_ok(fcntl(forgery.fd, F_ADD_SEALS, TABLE_SEALS));
	assert_ok(pmem2fs_table_open(&table, forgery.fd));
	for (uint32_t round = 0; round < 3; round++) {
		uint32_t slot = 0;
		int n = 0;

		/* The first slot, the last of a batch, those after it, and the very last. */
		const uint32_t used[] = {round, 45, 46, 47, 700, FORGED_SLOTS - 1};

		if (round)
			forgery.slots[round - 1].generation++;
		for (int i = 0; i < 6; i++) {
			forgery.slots[used[i]].record = honest;
			forgery.slots[used[i]].generation = 2;
		}
		for (; pmem2fs_table_next(table, &slot, NULL, &record, NULL) == 0; slot++)
			found[n++] = slot;
		assert_int_equal(n, 6);
		assert_memory_equal(found, used, sizeof(used));
		/* A sweep that is ended in the middle. */
		slot = 0;
		assert_ok(pmem2fs_table_next(table, &slot, NULL, &record, NULL));
	}
	assert_ok(pmem2fs_table_close(&table));
	throw_away(&forgery);
}

static size_t allocated(void)
{
	const struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* The daemon has a reader of each process. With a sanitizer nothing is counted. */
static void test_idle_readers_are_small(void **state)
{
	enum { READERS = 100 };
	struct forgery forgery = forge();
	struct pmem2fs_table *tables[READERS];
	size_t before;

	(void)state;
	assert_ok(fcntl(forgery.fd, F_ADD_SEALS, TABLE_SEALS));
	forgery.slots[3].record = honest;
	forgery.slots[3].generation = 2;
	before = allocated();
	for (int i = 0; i < READERS; i++) {
		struct pmem2fs_record record;
		uint32_t slot = 0;

		assert_ok(pmem2fs_table_open(&tables[i], dup(forgery.fd)));
		assert_ok(pmem2fs_table_next(tables[i], &slot, NULL, &record, NULL));
		slot++;
		assert_int_equal(pmem2fs_table_next(tables[i], &slot, NULL, &record, NULL),
				 -ENOENT);
	}
	assert_true(allocated() - before < READERS * 512);
	for (int i = 0; i < READERS; i++)
		assert_ok(pmem2fs_table_close(&tables[i]));
	throw_away(&forgery);
}

static _Atomic bool stop;

/* Writes records as the library does, with the same number in every field. */
static void *change_at_full_speed(void *arg)
{
	struct table_slot *slot = arg;

	for (uint64_t n = 1; !stop; n++) {
		atomic_store_explicit(&slot->generation, 2 * n - 1, memory_order_relaxed);
		atomic_thread_fence(memory_order_release);
		slot->record = honest;
		slot->record.address = n * PAGE;
		slot->record.length = n;
		slot->record.source_inode = n;
		slot->record.created = n;
		slot->record.uid = (uint32_t)n;
		slot->record.label_length = 255;
		memset(slot->record.label, 'a' + (int)(n % 26), 255);
		atomic_store_explicit(&slot->generation, 2 * n, memory_order_release);
		/*
		 * The record is valid for about as long as a read takes; otherwise no read would
		 * find it.
		 */
		for (volatile int i = 0; i < 100; i++)
			;
	}
	return NULL;
}

static void check_whole(const struct pmem2fs_record *record, uint64_t generation)
{
	assert_int_equal(record->length, generation / 2);
	assert_int_equal(record->address, record->length * PAGE);
	assert_int_equal(record->source_inode, record->length);
	assert_int_equal(record->created, record->length);
	assert_int_equal(record->uid, (uint32_t)record->length);
	for (int i = 0; i < 255; i++)
		assert_int_equal(record->label[i], 'a' + (int)(record->length % 26));
}

static void test_torn_slots_are_not_accepted(void **state)
{
	struct forgery forgery = forge();
	struct pmem2fs_record record;
	struct pmem2fs_table *table;
	uint64_t generation;
	pthread_t thread;

	(void)state;
	assert_ok(fcntl(forgery.fd, F_ADD_SEALS, TABLE_SEALS));
	assert_ok(pmem2fs_table_open(&table, forgery.fd));
	stop = false;
	/* A slot that lies on two pages. */
	assert_int_not_equal((size_t)&forgery.slots[11] / PAGE,
			     ((size_t)&forgery.slots[12] - 1) / PAGE);
	assert_ok(pthread_create(&thread, NULL, change_at_full_speed, &forgery.slots[11]));
	for (int i = 0; i < 30000; i++) {
		uint32_t slot = 0;

		if (pmem2fs_table_read(table, 11, &generation, &record) == 0)
			check_whole(&record, generation);
		if (i % 64 == 0 &&
		    pmem2fs_table_next(table, &slot, &generation, &record, NULL) == 0)
			check_whole(&record, generation);
	}
	stop = true;
	assert_ok(pthread_join(thread, NULL));
	assert_ok(pmem2fs_table_read(table, 11, &generation, &record));
	check_whole(&record, generation);
	assert_ok(pmem2fs_table_close(&table));
	throw_away(&forgery);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_sealed_shared_memory),
		cmocka_unit_test(test_lying_headers),
		cmocka_unit_test(test_empty_and_tiny_files),
		cmocka_unit_test(test_lying_slots),
		cmocka_unit_test(test_lying_use),
		cmocka_unit_test(test_sweeps_are_fresh),
		cmocka_unit_test(test_idle_readers_are_small),
		cmocka_unit_test(test_torn_slots_are_not_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
