/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_table_writer.c - the contents of the process's own table
 */
#include "registry/publication.h"
#include "table_helper.h"
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

static struct pmem2fs_table *export_table(void)
{
	struct pmem2fs_table *table;
	int again;
	int fd;

	must(pmem2fs_table_export(&fd) == 0);
	must(pmem2fs_table_export(&again) == -EALREADY);
	must(pmem2fs_table_open(&table, fd) == 0);
	return table;
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
	must(fstat(fd, &st) == 0);
	must(pmem2_config_set_offset(config, PAGE) == 0);
	must(pmem2_config_set_protection(config, PMEM2_PROT_READ) == 0);
	must(pmem2fs_config_set_label(config, "log", 3) == 0);
	must(pmem2fs_config_set_owner(config, 12, 34) == 0);
	must(pmem2_map_new(&map, config, source) == 0);
	must(pmem2fs_map_get_slot(map, &slot) == 0);
	must(pmem2fs_table_read(table, slot, &generation, &record) == 0);
	must(generation == 2);
	must(record.address == (uintptr_t)pmem2_map_get_address(map));
	must(record.length == 904 && record.offset == PAGE && record.source_size == 5000);
	must(record.source_dev == st.st_dev && record.source_inode == st.st_ino);
	must(record.source_rdev == 0 && record.alignment == PAGE);
	must(record.created / 1000000000 >= (uint64_t)before.tv_sec);
	must(record.created / 1000000000 <= (uint64_t)before.tv_sec + 60);
	must(record.uid == 12 && record.gid == 34);
	must(record.source_type == PMEM2FS_SOURCE_FILE);
	must(record.granularity == PMEM2_GRANULARITY_PAGE);
	must(record.required == PMEM2_GRANULARITY_PAGE);
	must(record.sharing == PMEM2_SHARED && record.protection == 1);
	must(record.flags == 0 && record.label_length == 3);
	must(memcmp(record.label, "log", 4) == 0);
	must(count_slots(table) == 1);
	must(pmem2_unmap(&map) == 0);
	must(pmem2fs_table_read(table, slot, &generation, &record) == -ENOENT);
	must(count_slots(table) == 0);
	must(pmem2fs_table_close(&table) == 0 && !table);
}

/* A mapping's user is the process's user when its table was made, not a later one. */
static void owner_is_that_of_the_table(void)
{
	struct pmem2fs_table *table = export_table();
	struct pmem2_config *config = page_config();
	struct pmem2_source *source = anon_source(PAGE);
	uid_t uid = geteuid();
	gid_t gid = getegid();
	struct pmem2fs_record record;
	struct pmem2_map *map;
	uint32_t first;
	uint32_t slot;

	/* The next mapping has its slot, and not its owner. */
	must(pmem2fs_config_set_owner(config, 12, 34) == 0);
	must(pmem2_map_new(&map, config, source) == 0);
	must(pmem2fs_map_get_slot(map, &first) == 0);
	must(pmem2_unmap(&map) == 0);
	if (uid == 0)
		must(setegid(65534) == 0 && seteuid(65534) == 0);
	map = map_anon(PAGE, PMEM2_SHARED);
	must(pmem2fs_map_get_slot(map, &slot) == 0 && slot == first);
	must(pmem2fs_table_read(table, slot, NULL, &record) == 0);
	must(record.uid == uid && record.gid == gid);
	must(pmem2_unmap(&map) == 0);
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
	must(pmem2fs_map_get_slot(map, &slot) == 0);
	must(pmem2fs_table_read(table, slot, &first, &record) == 0);
	must(record.uid == geteuid() && record.gid == getegid());
	must(pmem2fs_map_set_label(map, label, 255) == 0);
	must(pmem2fs_table_read(table, slot, &second, &record) == 0);
	must(second > first && record.label_length == 255);
	must(memcmp(record.label, label, 255) == 0);
	must(pmem2fs_map_set_label(map, "/", 1) == -EINVAL);
	must(pmem2fs_map_set_label(map, NULL, 0) == 0);
	must(pmem2fs_table_read(table, slot, &first, &record) == 0);
	must(first > second && record.label_length == 0 && record.label[0] == 0);
	must(pmem2_unmap(&map) == 0);
}

static void many_slots(void)
{
	enum { MANY = 1000 };
	static struct pmem2_map *maps[MANY];
	struct pmem2fs_table *table = export_table();
	size_t before = status_kib("RssShmem:");

	for (int i = 0; i < MANY; i++)
		maps[i] = map_anon(PAGE, PMEM2_PRIVATE);
	must(count_slots(table) == MANY);
	/* Memory is used only for slots in use. */
	must(status_kib("RssShmem:") - before <= MANY * 352 / 1024 * 2);
	for (int i = 0; i < MANY; i += 2)
		must(pmem2_unmap(&maps[i]) == 0);
	must(count_slots(table) == MANY / 2);
	for (int i = 1; i < MANY; i += 2)
		must(pmem2_unmap(&maps[i]) == 0);
	must(count_slots(table) == 0);
}

/* The address of this process's table, 0: none. */
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

/* A program that has closed the three standard streams may write to their numbers all the same. */
static void stays_off_the_standard_streams(void)
{
	int fd;

	for (int i = 0; i <= STDERR_FILENO; i++)
		close(i);
	must(pmem2fs_table_export(&fd) == 0);
	must(fd > STDERR_FILENO);
}

static void test_stays_off_the_standard_streams(void **state)
{
	(void)state;
	in_child(stays_off_the_standard_streams);
}

static void fork_child_has_its_own(void)
{
	struct pmem2fs_table *table = export_table();
	struct pmem2_map *maps[3];
	int status;
	pid_t pid;

	for (int i = 0; i < 3; i++)
		maps[i] = map_anon(PAGE, PMEM2_SHARED);
	must(pmem2fs_map_set_label(maps[1], "mine", 4) == 0);
	/* Also without the C library's knowledge. */
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		uintptr_t inherited = table_area();
		struct pmem2fs_table *own = export_table();
		struct pmem2fs_record record;
		uint32_t slot;

		must(!inherited && table_area());

		must(count_slots(own) == 3);
		must(pmem2fs_map_get_slot(maps[1], &slot) == 0);
		must(pmem2fs_table_read(own, slot, NULL, &record) == 0);
		must(record.label_length == 4 && memcmp(record.label, "mine", 4) == 0);
		for (int i = 0; i < 3; i++)
			must(pmem2_unmap(&maps[i]) == 0);
		must(count_slots(own) == 0);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0);
	must(count_slots(table) == 3);
	for (int i = 0; i < 3; i++)
		must(pmem2_unmap(&maps[i]) == 0);
}

static uint64_t changes_of(const struct pmem2fs_table *table)
{
	uint64_t changes;

	must(pmem2fs_table_changes(table, &changes) == 0);
	return changes;
}

/* Whether the count has grown since the last call. */
static bool has_changed(const struct pmem2fs_table *table, uint64_t *last)
{
	uint64_t changes = changes_of(table);
	bool grown = changes > *last;

	must(grown || changes == *last);
	*last = changes;
	return grown;
}

static const struct pmem2fs_table *watched;
static uint64_t count_at_munmap; /* of the watched table */

int __real_munmap(void *address, size_t length);
int __wrap_munmap(void *address, size_t length);

int __wrap_munmap(void *address, size_t length)
{
	int ret = __real_munmap(address, length);

	if (watched)
		count_at_munmap = changes_of(watched);
	return ret;
}

static void each_change_is_counted(void)
{
	struct pmem2fs_table *table = export_table();
	struct pmem2_map *map, *other;
	uint64_t last = 0;
	uint32_t slot;

	must(has_changed(table, &last)); /* a library that counts never says 0 */
	must(!has_changed(table, &last));
	map = map_anon(2 * PAGE, PMEM2_SHARED);
	must(has_changed(table, &last));
	must(pmem2fs_map_get_slot(map, &slot) == 0 && pmem2_map_get_size(map) == 2 * PAGE);
	must(!has_changed(table, &last));
	must(pmem2fs_map_set_label(map, "a", 1) == 0);
	must(has_changed(table, &last));
	/* The count grows after munmap. */
	watched = table;
	must(pmem2_unmap_range(map, PAGE, PAGE, 0) == 0);
	must(count_at_munmap && changes_of(table) > count_at_munmap);
	must(has_changed(table, &last));
	other = map;
	must(pmem2_unmap(&map) == 0);
	must(count_at_munmap >= last && changes_of(table) > count_at_munmap);
	must(has_changed(table, &last));
	watched = NULL;
	must(pmem2_unmap(&other) == PMEM2_E_MAPPING_NOT_FOUND);
	must(!has_changed(table, &last));
	must(pmem2fs_table_changes(table, NULL) == -EINVAL);
	must(pmem2fs_table_changes(NULL, &last) == -EINVAL);
}

/* A reader of a table that is replaced learns of it; what comes later is in the new one alone. */
static void a_replaced_table_has_changed(void)
{
	struct pmem2fs_table *old = export_table(), *table;
	struct pmem2_map *map = map_anon(PAGE, PMEM2_SHARED);
	uint64_t last_old = changes_of(old), last;
	uint64_t inode;
	int fd;

	must(publication_table(&inode, &fd) == 0);
	must(has_changed(old, &last_old));
	must(pmem2fs_table_open(&table, fd) == 0);
	must(count_slots(table) == 1);
	last = changes_of(table);
	must(last);
	must(pmem2_unmap(&map) == 0);
	must(has_changed(table, &last));
	must(!has_changed(old, &last_old));
}

static void child_counts_its_own_changes(void)
{
	struct pmem2fs_table *table = export_table();
	struct pmem2_map *map = map_anon(2 * PAGE, PMEM2_SHARED);
	struct pmem2_map *inherited = map;
	uint64_t last = changes_of(table);
	int status;
	pid_t pid;

	/* Without the C library's knowledge: nothing shows the fork to the library. */
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		struct pmem2fs_table *own;
		uint64_t own_last = 0;

		must(pmem2_unmap_range(map, PAGE, PAGE, 0) == 0); /* no table yet */
		own = export_table();
		must(has_changed(own, &own_last));
		must(pmem2_unmap(&inherited) == 0);
		must(has_changed(own, &own_last));
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0);
	must(!has_changed(table, &last));
	must(pmem2_unmap(&map) == 0);
	must(has_changed(table, &last));
}

static void works_without_table(int error)
{
	struct pmem2_map *map = map_anon(PAGE, PMEM2_SHARED);
	uint32_t slot;
	int fd = -7;

	must(pmem2fs_map_get_slot(map, &slot) == -ENOENT);
	must(pmem2fs_table_export(&fd) == error && fd == -7);
	must(pmem2fs_map_set_label(map, "a", 1) == 0);
	must(pmem2_unmap(&map) == 0);
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
	must(getrlimit(RLIMIT_FSIZE, &limit) == 0);
	limit.rlim_cur = 65536;
	must(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	works_without_table(-EFBIG);
}

static void no_descriptors(void)
{
	struct rlimit limit = {.rlim_cur = 0, .rlim_max = 0};

	must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	works_without_table(-EMFILE);
}

/* The table takes only a small part of a limited address space. */
static void address_space_limit(void)
{
	struct rlimit limit = {.rlim_cur = 1ul << 30, .rlim_max = RLIM_INFINITY};
	struct pmem2fs_table *table;

	/* Sanitizers use more address space than any limit. */
	if (status_kib("VmSize:") > 1ul << 19)
		return;
	must(getrlimit(RLIMIT_AS, &limit) == 0);
	limit.rlim_cur = 1ul << 30;
	must(setrlimit(RLIMIT_AS, &limit) == 0);
	table = export_table();
	must(pmem2fs_table_slots(table) >= 1000);
	must(pmem2fs_table_slots(table) * 352ul <= limit.rlim_cur / 1000);
	map_anon(PAGE, PMEM2_SHARED);
	must(count_slots(table) == 1);
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
	must(before == after);
	must(pmem2_unmap(&map) == 0);
}

static void test_record_tells_the_mapping(void **state)
{
	(void)state;
	in_child(record_tells_the_mapping);
}

static void test_owner_is_that_of_the_table(void **state)
{
	(void)state;
	in_child(owner_is_that_of_the_table);
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

static void test_each_change_is_counted(void **state)
{
	(void)state;
	in_child(each_change_is_counted);
	in_child(a_replaced_table_has_changed);
	in_child(child_counts_its_own_changes);
}

static void test_programs_without_table(void **state)
{
	(void)state;
	in_child(switched_off);
	in_child(file_size_limit);
	if (!on_valgrind())
		in_child(address_space_limit);
	if (!on_valgrind())
		in_child(no_descriptors);
	in_child(keeps_no_descriptor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record_tells_the_mapping),
		cmocka_unit_test(test_owner_is_that_of_the_table),
		cmocka_unit_test(test_label_is_a_new_generation),
		cmocka_unit_test(test_many_slots),
		cmocka_unit_test(test_fork_child_has_its_own),
		cmocka_unit_test(test_each_change_is_counted),
		cmocka_unit_test(test_stays_off_the_standard_streams),
		cmocka_unit_test(test_programs_without_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
