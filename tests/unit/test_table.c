/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_table.c - writing and reading a table; whatever a lying owner may put there
 */
#include "helper.h"
#include "table.h"
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* Runs in a child, which has no table yet and may have limits and an environment of its own. */
static void in_child(void (*body)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		body();
		_exit(0);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_int_equal(status, 0);
}

#define child_assert(condition)                                                                    \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition,        \
				pmem2_errormsg());                                                 \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static struct pmem2fs_table *export_table(void)
{
	struct pmem2fs_table *table;
	int again;
	int fd;

	child_assert(pmem2fs_table_export(&fd) == 0);
	child_assert(pmem2fs_table_export(&again) == -EALREADY);
	child_assert(pmem2fs_table_open(&table, fd) == 0);
	return table;
}

static unsigned count_slots(const struct pmem2fs_table *table)
{
	struct pmem2fs_record record;
	uint32_t slot = 0;
	uint32_t bad = 0;
	unsigned n = 0;

	while (pmem2fs_table_next(table, &slot, NULL, &record, &bad) == 0) {
		slot++;
		n++;
	}
	child_assert(bad == 0);
	return n;
}

static void record_tells_the_mapping(void)
{
	struct pmem2fs_table *table = export_table();
	struct pmem2_config *config = page_config();
	int fd = make_file(5000);
	struct pmem2_source *source = fd_source(fd);
	struct pmem2fs_record record;
	struct pmem2_map *map;
	struct timespec before;
	struct stat st;
	uint32_t slot;
	uint64_t generation;

	clock_gettime(CLOCK_REALTIME, &before);
	child_assert(fstat(fd, &st) == 0);
	child_assert(pmem2_config_set_offset(config, PAGE) == 0);
	child_assert(pmem2_config_set_protection(config, PMEM2_PROT_READ) == 0);
	child_assert(pmem2fs_config_set_label(config, "log", 3) == 0);
	child_assert(pmem2fs_config_set_owner(config, 12, 34) == 0);
	child_assert(pmem2_map_new(&map, config, source) == 0);
	child_assert(pmem2fs_map_get_slot(map, &slot) == 0);
	child_assert(pmem2fs_table_read(table, slot, &generation, &record) == 0);
	child_assert(generation == 2);
	child_assert(record.address == (uintptr_t)pmem2_map_get_address(map));
	child_assert(record.length == 904 && record.offset == PAGE && record.source_size == 5000);
	child_assert(record.source_dev == st.st_dev && record.source_inode == st.st_ino);
	child_assert(record.source_rdev == 0 && record.alignment == PAGE);
	child_assert(record.created / 1000000000 >= (uint64_t)before.tv_sec);
	child_assert(record.created / 1000000000 <= (uint64_t)before.tv_sec + 60);
	child_assert(record.uid == 12 && record.gid == 34);
	child_assert(record.source_type == PMEM2FS_SOURCE_FILE);
	child_assert(record.granularity == PMEM2_GRANULARITY_PAGE);
	child_assert(record.required == PMEM2_GRANULARITY_PAGE);
	child_assert(record.sharing == PMEM2_SHARED && record.protection == 1);
	child_assert(record.flags == 0 && record.label_length == 3);
	child_assert(memcmp(record.label, "log", 4) == 0);
	child_assert(count_slots(table) == 1);
	child_assert(pmem2_unmap(&map) == 0);
	child_assert(pmem2fs_table_read(table, slot, &generation, &record) == -ENOENT);
	child_assert(count_slots(table) == 0);
	child_assert(pmem2fs_table_close(&table) == 0 && !table);
}

/* Who has made the source asks for its mappings, whoever the process is by then. */
static void owner_is_that_of_the_source(void)
{
	struct pmem2fs_table *table = export_table();
	struct pmem2_source *source = anon_source(PAGE);
	uid_t uid = geteuid();
	gid_t gid = getegid();
	struct pmem2fs_record record;
	struct pmem2_map *map;
	uint32_t slot;

	if (uid == 0)
		child_assert(setegid(65534) == 0 && seteuid(65534) == 0);
	map = map_source(source, PMEM2_SHARED);
	child_assert(pmem2fs_map_get_slot(map, &slot) == 0);
	child_assert(pmem2fs_table_read(table, slot, NULL, &record) == 0);
	child_assert(record.uid == uid && record.gid == gid);
	child_assert(pmem2_unmap(&map) == 0);
}

static void label_is_a_new_generation(void)
{
	struct pmem2fs_table *table = export_table();
	struct pmem2_map *map = map_anon(PAGE, PMEM2_SHARED);
	char label[255];
	struct pmem2fs_record record;
	uint64_t first;
	uint64_t second;
	uint32_t slot;

	memset(label, 'l', sizeof(label));
	child_assert(pmem2fs_map_get_slot(map, &slot) == 0);
	child_assert(pmem2fs_table_read(table, slot, &first, &record) == 0);
	child_assert(record.uid == geteuid() && record.gid == getegid());
	child_assert(pmem2fs_map_set_label(map, label, 255) == 0);
	child_assert(pmem2fs_table_read(table, slot, &second, &record) == 0);
	child_assert(second > first && record.label_length == 255);
	child_assert(memcmp(record.label, label, 255) == 0);
	child_assert(pmem2fs_map_set_label(map, "/", 1) == -EINVAL);
	child_assert(pmem2fs_map_set_label(map, NULL, 0) == 0);
	child_assert(pmem2fs_table_read(table, slot, &first, &record) == 0);
	child_assert(first > second && record.label_length == 0 && record.label[0] == 0);
	child_assert(pmem2_unmap(&map) == 0);
}

static void many_slots(void)
{
	enum { MANY = 1000 };
	static struct pmem2_map *maps[MANY];
	struct pmem2fs_table *table = export_table();
	size_t before = status_kib("RssShmem:");

	for (int i = 0; i < MANY; i++)
		maps[i] = map_anon(PAGE, PMEM2_PRIVATE);
	child_assert(count_slots(table) == MANY);
	/* Memory is used as slots are. */
	child_assert(status_kib("RssShmem:") - before <= MANY * 352 / 1024 + 8);
	for (int i = 0; i < MANY; i += 2)
		child_assert(pmem2_unmap(&maps[i]) == 0);
	child_assert(count_slots(table) == MANY / 2);
	for (int i = 1; i < MANY; i += 2)
		child_assert(pmem2_unmap(&maps[i]) == 0);
	child_assert(count_slots(table) == 0);
}

/* Where this process has a table, 0: nowhere. */
static uintptr_t table_area(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512];
	uintptr_t address = 0;

	while (!address && fgets(line, sizeof(line), file)) {
		if (strstr(line, "/memfd:pmem2fs "))
			address = strtoul(line, NULL, 16);
	}
	fclose(file);
	return address;
}

static void fork_child_has_its_own(void)
{
	struct pmem2fs_table *table = export_table();
	struct pmem2_map *maps[3];
	int status;
	pid_t pid;

	for (int i = 0; i < 3; i++)
		maps[i] = map_anon(PAGE, PMEM2_SHARED);
	child_assert(pmem2fs_map_set_label(maps[1], "mine", 4) == 0);
	/* Also without the C library's knowledge. */
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		uintptr_t inherited = table_area();
		struct pmem2fs_table *own = export_table();
		struct pmem2fs_record record;
		uint32_t slot;

		child_assert(!inherited && table_area());

		child_assert(count_slots(own) == 3);
		child_assert(pmem2fs_map_get_slot(maps[1], &slot) == 0);
		child_assert(pmem2fs_table_read(own, slot, NULL, &record) == 0);
		child_assert(record.label_length == 4 && memcmp(record.label, "mine", 4) == 0);
		for (int i = 0; i < 3; i++)
			child_assert(pmem2_unmap(&maps[i]) == 0);
		child_assert(count_slots(own) == 0);
		_exit(0);
	}
	child_assert(waitpid(pid, &status, 0) == pid && status == 0);
	child_assert(count_slots(table) == 3);
	for (int i = 0; i < 3; i++)
		child_assert(pmem2_unmap(&maps[i]) == 0);
}

static void works_without_table(int error)
{
	struct pmem2_map *map = map_anon(PAGE, PMEM2_SHARED);
	uint32_t slot;
	int fd = -7;

	child_assert(pmem2fs_map_get_slot(map, &slot) == -ENOENT);
	child_assert(pmem2fs_table_export(&fd) == error && fd == -7);
	child_assert(pmem2fs_map_set_label(map, "a", 1) == 0);
	child_assert(pmem2_unmap(&map) == 0);
}

static void switched_off(void)
{
	setenv("PMEM2FS", "off", 1);
	works_without_table(-ENOTSUP);
}

static void file_size_limit(void)
{
	struct rlimit limit = {.rlim_cur = 65536, .rlim_max = RLIM_INFINITY};

	signal(SIGXFSZ, SIG_DFL);
	child_assert(getrlimit(RLIMIT_FSIZE, &limit) == 0);
	limit.rlim_cur = 65536;
	child_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	works_without_table(-EFBIG);
}

static void no_descriptors(void)
{
	struct rlimit limit = {.rlim_cur = 0, .rlim_max = 0};

	child_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	works_without_table(-EMFILE);
}

static void keeps_no_descriptor(void)
{
	int before = dup(0);
	struct pmem2_map *map;
	int after;

	close(before);
	map = map_anon(PAGE, PMEM2_SHARED);
	after = dup(0);
	close(after);
	child_assert(before == after);
	child_assert(pmem2_unmap(&map) == 0);
}

static void test_record_tells_the_mapping(void **state)
{
	(void)state;
	in_child(record_tells_the_mapping);
}

static void test_owner_is_that_of_the_source(void **state)
{
	(void)state;
	in_child(owner_is_that_of_the_source);
}

static void test_label_is_a_new_generation(void **state)
{
	(void)state;
	in_child(label_is_a_new_generation);
}

static void test_many_slots(void **state)
{
	(void)state;
	in_child(many_slots);
}

static void test_fork_child_has_its_own(void **state)
{
	(void)state;
	in_child(fork_child_has_its_own);
}

static void test_programs_without_table(void **state)
{
	(void)state;
	in_child(switched_off);
	in_child(file_size_limit);
	if (!on_valgrind())
		in_child(no_descriptors);
	in_child(keeps_no_descriptor);
}

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

/* A new sweep sees what changed since the last. */
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

		/* The first, the last of a batch, beyond it, and the very last. */
		const uint32_t used[] = {round, 185, 186, 187, 700, FORGED_SLOTS - 1};

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
		/* Left in the middle. */
		slot = 0;
		assert_ok(pmem2fs_table_next(table, &slot, NULL, &record, NULL));
	}
	assert_ok(pmem2fs_table_close(&table));
	throw_away(&forgery);
}

static _Atomic bool stop;

/* Writes records in which every field tells the same number, as table_publish does. */
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
		/* Live for about as long as a look takes, or none would ever begin in time. */
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
		cmocka_unit_test(test_record_tells_the_mapping),
		cmocka_unit_test(test_owner_is_that_of_the_source),
		cmocka_unit_test(test_label_is_a_new_generation),
		cmocka_unit_test(test_many_slots),
		cmocka_unit_test(test_fork_child_has_its_own),
		cmocka_unit_test(test_programs_without_table),
		cmocka_unit_test(test_only_sealed_shared_memory),
		cmocka_unit_test(test_lying_headers),
		cmocka_unit_test(test_empty_and_tiny_files),
		cmocka_unit_test(test_lying_slots),
		cmocka_unit_test(test_sweeps_are_fresh),
		cmocka_unit_test(test_torn_slots_are_not_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
