/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_unmap.c - the unmapping rules for whole mappings, a test for each rule in lib/README.md
 */
#include "helper.h"
#include "map/placement.h"
#include "unmapping.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int munmap_error; /* what munmap is made to fail with, 0: nothing */
static int munmaps;

int __real_munmap(void *address, size_t length);
int __wrap_munmap(void *address, size_t length);

int __wrap_munmap(void *address, size_t length)
{
	__atomic_add_fetch(&munmaps, 1, __ATOMIC_RELAXED);
	if (munmap_error) {
		errno = munmap_error;
		return -1;
	}
	return __real_munmap(address, length);
}

static void test_U1_success(void **state)
{
	struct pmem2_map *map = map_anon(2 * MIB, PMEM2_SHARED);
	struct pmem2_map *copy = map;
	void *address = pmem2_map_get_address(map);

	(void)state;
	assert_true(is_mapped(address));
	assert_ok(pmem2_unmap(&map));
	assert_null(map);
	assert_false(is_mapped(address));
	assert_null(pmem2_map_get_address(copy));
	assert_int_equal(pmem2_map_get_size(copy), 0);
	assert_int_equal(pmem2_map_get_store_granularity(copy), PMEM2_GRANULARITY_PAGE);
}

static void check_unharmed(struct pmem2_map *map, struct pmem2_map *expected, char *address)
{
	uint32_t slot;

	assert_ptr_equal(map, expected);
	assert_ptr_equal(pmem2_map_get_address(map), address);
	assert_int_equal(pmem2_map_get_size(map), 2 * MIB);
	assert_int_equal(address[0], 'x');
	address[1] = 'y';
	assert_ok(pmem2fs_map_get_slot(map, &slot));
}

static void test_U2_failure_changes_nothing(void **state)
{
	struct pmem2_map *map = map_anon(2 * MIB, PMEM2_SHARED);
	struct pmem2_source *source = anon_source(PAGE);
	struct pmem2_map *copy = map;
	struct pmem2_map *other;
	char *address = pmem2_map_get_address(map);

	(void)state;
	address[0] = 'x';
	for (int i = 0; i < 3; i++) {
		munmap_error = EINVAL;
		assert_int_equal(pmem2_unmap(&map), -EINVAL);
		munmap_error = 0;
		check_unharmed(map, copy, address);
		assert_int_equal(pmem2_map_from_existing(&other, source, address + PAGE, PAGE, 0),
				 PMEM2_E_MAP_EXISTS);
	}
	assert_ok(pmem2_unmap(&map));
	assert_false(is_mapped(address));
	assert_ok(pmem2_source_delete(&source));
}

static void test_U3_stale_wild_and_null(void **state)
{
	static const uint64_t wild[] = {
		1,
		4096,
		UINT64_MAX,
		1ull << 63,
		0x8080000000ffffffull,
		0x8080000000fffffeull,
		0x80ffffffffffffffull,
		0x8000000000000000ull,
		0x8080000001000000ull,
	};
	struct pmem2_map *map = map_anon(PAGE, PMEM2_SHARED);
	struct pmem2_map *stale = map;
	struct pmem2_map *later[100];
	struct pmem2_map *null = NULL;

	(void)state;
	assert_ok(pmem2_unmap(&map));
	for (int i = 0; i < 100; i++) {
		later[i] = map_anon(PAGE, PMEM2_SHARED);
		assert_ptr_not_equal(later[i], stale);
	}
	for (int i = 0; i < 3; i++) {
		struct pmem2_map *before = stale;

		assert_int_equal(pmem2_unmap(&stale), PMEM2_E_MAPPING_NOT_FOUND);
		assert_ptr_equal(stale, before);
	}
	assert_int_equal(pmem2fs_map_set_label(stale, "a", 1), PMEM2_E_MAPPING_NOT_FOUND);
	assert_int_equal(pmem2_unmap(NULL), PMEM2_E_MAPPING_NOT_FOUND);
	assert_int_equal(pmem2_unmap(&null), PMEM2_E_MAPPING_NOT_FOUND);
	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		struct pmem2_map *pointer = (struct pmem2_map *)wild[i];
		uint32_t slot = 77;

		assert_int_equal(pmem2_unmap(&pointer), PMEM2_E_MAPPING_NOT_FOUND);
		assert_int_equal((uintptr_t)pointer, wild[i]);
		assert_null(pmem2_map_get_address(pointer));
		assert_int_equal(pmem2_map_get_size(pointer), 0);
		assert_int_equal(pmem2fs_map_get_slot(pointer, &slot), PMEM2_E_MAPPING_NOT_FOUND);
		assert_int_equal(slot, 77);
	}
	for (int i = 0; i < 100; i++) {
		assert_true(is_mapped(pmem2_map_get_address(later[i])));
		assert_ok(pmem2_unmap(&later[i]));
	}
}

static void test_U4_sealed(void **state)
{
	struct pmem2_map *map = map_anon(2 * MIB, PMEM2_SHARED);
	struct pmem2_map *copy = map;
	char *address = pmem2_map_get_address(map);

	(void)state;
	address[0] = 'x';
	if (syscall(SYS_mseal, address, 2 * MIB, 0ul)) {
		assert_int_equal(errno, ENOSYS);
		assert_ok(pmem2_unmap(&map));
		skip();
	}
	assert_int_equal(pmem2_unmap(&map), -EPERM);
	check_unharmed(map, copy, address);
}

static void test_U4_too_many_areas(void **state)
{
	struct pmem2_map *map;
	struct pmem2_map *copy;
	char *address;
	char *neighbours[2];
	char expected[64];
	uintptr_t start = 0;
	uintptr_t end = 0;
	size_t length;
	void *hog;
	int ret;

	(void)state;
	if (!can_use_up_areas())
		skip();
	copy = map = map_anon(2 * MIB, PMEM2_PRIVATE);
	address = pmem2_map_get_address(map);
	neighbours[0] = address - PAGE;
	neighbours[1] = address + 2 * MIB;
	for (int i = 0; i < 2; i++) {
		void *p = mmap(neighbours[i], PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		assert_ptr_equal(p, neighbours[i]);
	}
	assert_true(find_area(address, &start, &end));
	if (start >= (uintptr_t)address || end <= (uintptr_t)address + 2 * MIB)
		skip(); /* this kernel has not merged the areas */
	address[0] = 'x';
	snprintf(expected, sizeof(expected), "vm.max_map_count (%zu) is reached",
		 proc_number("/proc/sys/vm/max_map_count", ""));

	hog = use_up_areas(&length);
	ret = pmem2_unmap(&map);
	assert_ok(__real_munmap(hog, length));
	assert_int_equal(ret, -ENOMEM);
	assert_non_null(strstr(pmem2_errormsg(), expected));
	check_unharmed(map, copy, address);
	assert_ok(pmem2_unmap(&map));
	for (int i = 0; i < 2; i++)
		assert_ok(__real_munmap(neighbours[i], PAGE));
}

static void test_map_new_names_max_map_count(void **state)
{
	struct pmem2_source *source;
	struct pmem2_config *config;
	struct pmem2_map *maps[8];
	char expected[64];
	char message[512];
	size_t length;
	void *hog;
	int ret = 0;
	int n = 0;

	(void)state;
	if (!can_use_up_areas())
		skip();
	source = anon_source(PAGE);
	config = page_config();
	snprintf(expected, sizeof(expected), "vm.max_map_count (%zu) is reached",
		 proc_number("/proc/sys/vm/max_map_count", ""));
	hog = use_up_areas(&length);
	while (n < 8 && (ret = pmem2_map_new(&maps[n], config, source)) == 0)
		n++;
	strcpy(message, pmem2_errormsg());
	assert_ok(__real_munmap(hog, length));
	assert_int_equal(ret, -ENOMEM);
	assert_non_null(strstr(message, expected));
	while (n--)
		assert_ok(pmem2_unmap(&maps[n]));
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
}

static void test_P2_references_raise_SIGSEGV(void **state)
{
	struct pmem2_map *map;
	char *address;
	int fd;

	(void)state;
	/* Valgrind counts the faults that this provokes as errors. */
	if (on_valgrind())
		skip();
	fd = make_file(3 * PAGE);
	map = map_fd(fd);
	address = pmem2_map_get_address(map);
	assert_int_equal(fault_of_reading(address + 2 * PAGE), 0);
	assert_ok(pmem2_unmap(&map));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(fault_of_reading(address + i * PAGE), SIGSEGV);
	close(fd);
}

static void test_P4_private_modifications_are_discarded(void **state)
{
	int fd = make_file(PAGE);
	struct pmem2_map *map;
	char byte = 0;

	(void)state;
	assert_int_equal(pwrite(fd, "o", 1, 0), 1);
	map = map_source(fd_source(fd), PMEM2_PRIVATE);
	*(char *)pmem2_map_get_address(map) = 'm';
	assert_ok(pmem2_unmap(&map));
	assert_int_equal(pread(fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 'o');
	map = map_source(fd_source(fd), PMEM2_PRIVATE);
	assert_int_equal(*(char *)pmem2_map_get_address(map), 'o');
	assert_ok(pmem2_unmap(&map));
	close(fd);
}

static void test_P5_memory_locks_are_removed(void **state)
{
	struct pmem2_map *map = map_anon(1 * MIB, PMEM2_SHARED);
	size_t before = status_kib("VmLck:");

	(void)state;
	if (mlock(pmem2_map_get_address(map), 1 * MIB)) {
		assert_ok(pmem2_unmap(&map));
		skip();
	}
	/* Some sanitizers make mlock do nothing. */
	if (status_kib("VmLck:") == before) {
		assert_ok(pmem2_unmap(&map));
		skip();
	}
	assert_int_equal(status_kib("VmLck:"), before + 1024);
	assert_ok(pmem2_unmap(&map));
	assert_int_equal(status_kib("VmLck:"), before);
}

static void test_P9_foreign_memory_is_not_touched(void **state)
{
	struct pmem2_source *source = anon_source(PAGE);
	char *foreign =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct pmem2_map *map = map_anon(5000, PMEM2_SHARED);
	char *address = pmem2_map_get_address(map);
	char *behind;
	int before;

	(void)state;
	foreign[0] = 'f';
	behind = mmap(address + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	assert_ptr_equal(behind, address + 2 * PAGE);
	behind[0] = 'b';
	assert_ok(pmem2_unmap(&map));
	assert_false(is_mapped(address));
	assert_false(is_mapped(address + PAGE));
	assert_int_equal(behind[0], 'b');
	assert_ok(__real_munmap(behind, PAGE));

	/* An adopted mapping is not unmapped by the library. */
	assert_ok(pmem2_map_from_existing(&map, source, foreign, PAGE, PMEM2_GRANULARITY_PAGE));
	before = munmaps;
	assert_ok(pmem2_unmap(&map));
	assert_int_equal(munmaps, before);
	assert_int_equal(foreign[0], 'f');
	assert_ok(__real_munmap(foreign, PAGE));
	assert_ok(pmem2_source_delete(&source));
}

static void test_P9_unmapped_behind_our_back(void **state)
{
	struct pmem2_map *map = map_anon(2 * MIB, PMEM2_SHARED);
	struct pmem2_map *next;
	char *address = pmem2_map_get_address(map);
	uint32_t slot;

	(void)state;
	assert_ok(__real_munmap(address, 2 * MIB));
	assert_ok(pmem2_unmap(&map));

	/* The next mapping gets these addresses: the object of the first one no longer has any. */
	map = map_anon(2 * MIB, PMEM2_SHARED);
	address = pmem2_map_get_address(map);
	assert_ok(__real_munmap(address, 2 * MIB));
	placement_released((uintptr_t)address, 2 * MIB);
	next = map_anon(2 * MIB, PMEM2_SHARED);
	assert_ptr_equal(pmem2_map_get_address(next), address);
	*address = 'n';
	assert_int_equal(pmem2fs_map_get_slot(map, &slot), -ENOENT);
	assert_ok(pmem2_unmap(&map));
	assert_null(map);
	assert_int_equal(*address, 'n');
	assert_ok(pmem2_unmap(&next));
	assert_false(is_mapped(address));
}

static void test_P10_and_M4_anonymous_memory_is_given_back(void **state)
{
	static const enum pmem2_sharing_type types[] = {PMEM2_SHARED, PMEM2_PRIVATE};
	static const char *const keys[] = {"RssShmem:", "RssAnon:"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		size_t size = 32 * MIB;
		struct pmem2_map *map = map_anon(size, types[i]);
		size_t before = status_kib(keys[i]);

		memset(pmem2_map_get_address(map), 'a', size);
		assert_true(status_kib(keys[i]) >= before + 31 * 1024);
		assert_ok(pmem2_unmap(&map));
		assert_true(status_kib(keys[i]) <= before + 1024 + SHADOW(32 * 1024));
		map = map_anon(size, types[i]);
		assert_int_equal(*(char *)pmem2_map_get_address(map), 0);
		assert_ok(pmem2_unmap(&map));
	}
}

static int open_in(const char *directory)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/file", directory);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 16 * MIB))
		_exit(2);
	return fd;
}

static int busy_until_unmapped(const char *mount_point)
{
	int fd = open_in(mount_point);
	struct pmem2_map *map = map_fd(fd);

	close(fd);
	if (umount(mount_point) == 0 || errno != EBUSY)
		return 3;
	if (pmem2_unmap(&map))
		return 4;
	return umount(mount_point) ? 5 : 0;
}

static void test_P10_file_system_can_be_unmounted(void **state)
{
	int result = in_own_tmpfs(busy_until_unmapped);

	(void)state;
	if (result == 77)
		skip();
	assert_int_equal(result, 0);
}

static int space_comes_back(const char *mount_point)
{
	int fd = open_in(mount_point);
	struct pmem2_map *map = map_fd(fd);
	struct statvfs full;
	struct statvfs empty;
	char path[128];

	memset(pmem2_map_get_address(map), 'f', 16 * MIB);
	snprintf(path, sizeof(path), "%s/file", mount_point);
	if (unlink(path))
		return 3;
	close(fd);
	if (statvfs(mount_point, &full) || pmem2_unmap(&map) || statvfs(mount_point, &empty))
		return 4;
	return (empty.f_bfree - full.f_bfree) * full.f_bsize == 16 * MIB ? 0 : 5;
}

static void test_I3_unlinked_file_disappears(void **state)
{
	int result = in_own_tmpfs(space_comes_back);

	(void)state;
	if (result == 77)
		skip();
	assert_int_equal(result, 0);
}

static void test_M3_dirty_pages_reach_the_file(void **state)
{
	int fd = make_file(8 * PAGE);
	struct pmem2_map *map = map_fd(fd);
	char *buffer = NULL;
	char path[64];
	int direct;

	(void)state;
	memset(pmem2_map_get_address(map), 'd', 8 * PAGE);
	assert_ok(pmem2_unmap(&map));
	assert_ok(fsync(fd));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* Reads from the medium, past the page cache, if the file system supports that. */
	direct = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (direct < 0)
		direct = open(path, O_RDONLY | O_CLOEXEC);
	assert_ok(posix_memalign((void **)&buffer, PAGE, 8 * PAGE));
	assert_int_equal(pread(direct, buffer, 8 * PAGE, 0), 8 * PAGE);
	for (size_t i = 0; i < 8 * PAGE; i++)
		assert_int_equal(buffer[i], 'd');
	free(buffer);
	close(direct);
	close(fd);
}

static void test_M5_other_mappings_keep_the_memory(void **state)
{
	int fd = make_file(PAGE);
	struct pmem2_map *one = map_fd(fd);
	struct pmem2_map *two = map_fd(fd);
	char *address = pmem2_map_get_address(two);

	(void)state;
	strcpy(pmem2_map_get_address(one), "kept");
	assert_ok(pmem2_unmap(&one));
	assert_string_equal(address, "kept");
	assert_ok(pmem2_unmap(&two));
	close(fd);
}

static void test_M5_system_v_segment(void **state)
{
	int id = shmget(IPC_PRIVATE, 2 * PAGE, IPC_CREAT | 0600);
	struct pmem2_source *source = anon_source(2 * PAGE);
	struct pmem2_map *map;
	char *segment;

	(void)state;
	assert_true(id >= 0);
	segment = shmat(id, NULL, 0);
	assert_ok(shmctl(id, IPC_RMID, NULL));
	strcpy(segment, "kept");
	assert_ok(pmem2_map_from_existing(&map, source, segment, 2 * PAGE, PMEM2_GRANULARITY_BYTE));
	assert_ok(pmem2_unmap(&map));
	assert_string_equal(segment, "kept");
	assert_ok(shmdt(segment));
	assert_ok(pmem2_source_delete(&source));
}

static void test_I2_altered_private_pages_are_returned(void **state)
{
	int fd = make_file(32 * MIB);
	struct pmem2_map *map = map_source(fd_source(fd), PMEM2_PRIVATE);
	size_t before = status_kib("RssAnon:");

	(void)state;
	memset(pmem2_map_get_address(map), 'p', 32 * MIB);
	assert_true(status_kib("RssAnon:") >= before + 31 * 1024);
	assert_ok(pmem2_unmap(&map));
	assert_true(status_kib("RssAnon:") <= before + 1024 + SHADOW(32 * 1024));
	close(fd);
}

static void test_I4_null_is_not_valid(void **state)
{
	struct pmem2_source *source = anon_source(PAGE);
	struct pmem2_map *map = NULL;

	(void)state;
	assert_int_equal(pmem2_unmap(&map), PMEM2_E_MAPPING_NOT_FOUND);
	assert_int_equal(pmem2_map_delete(&map), PMEM2_E_MAPPING_NOT_FOUND);
	assert_int_equal(pmem2_map_from_existing(&map, source, NULL, PAGE, 0),
			 PMEM2_E_ADDRESS_NULL);
	assert_ok(pmem2_source_delete(&source));
}

#define UNMAPPERS 4

struct contest {
	pthread_barrier_t start;
	struct pmem2_map *map;
	int won;
	int lost;
};

static void *unmap_copy(void *arg)
{
	struct contest *contest = arg;
	struct pmem2_map *copy = contest->map;
	int ret;

	pthread_barrier_wait(&contest->start);
	ret = pmem2_unmap(&copy);
	if (ret == 0)
		__atomic_add_fetch(&contest->won, 1, __ATOMIC_RELAXED);
	if (ret == PMEM2_E_MAPPING_NOT_FOUND)
		__atomic_add_fetch(&contest->lost, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void test_I5_concurrent_unmapping_succeeds_once(void **state)
{
	(void)state;
	for (int round = 0; round < 300; round++) {
		struct contest contest = {.map = map_anon(PAGE, PMEM2_SHARED)};
		pthread_t threads[UNMAPPERS];

		assert_ok(pthread_barrier_init(&contest.start, NULL, UNMAPPERS));
		for (int i = 0; i < UNMAPPERS; i++)
			assert_ok(pthread_create(&threads[i], NULL, unmap_copy, &contest));
		for (int i = 0; i < UNMAPPERS; i++)
			assert_ok(pthread_join(threads[i], NULL));
		assert_int_equal(contest.won, 1);
		assert_int_equal(contest.lost, UNMAPPERS - 1);
		assert_ok(pthread_barrier_destroy(&contest.start));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_U1_success),
		cmocka_unit_test(test_U2_failure_changes_nothing),
		cmocka_unit_test(test_U3_stale_wild_and_null),
		cmocka_unit_test(test_U4_sealed),
		cmocka_unit_test(test_U4_too_many_areas),
		cmocka_unit_test(test_map_new_names_max_map_count),
		cmocka_unit_test(test_P2_references_raise_SIGSEGV),
		cmocka_unit_test(test_P4_private_modifications_are_discarded),
		cmocka_unit_test(test_P5_memory_locks_are_removed),
		cmocka_unit_test(test_P9_foreign_memory_is_not_touched),
		cmocka_unit_test(test_P9_unmapped_behind_our_back),
		cmocka_unit_test(test_P10_and_M4_anonymous_memory_is_given_back),
		cmocka_unit_test(test_P10_file_system_can_be_unmounted),
		cmocka_unit_test(test_I3_unlinked_file_disappears),
		cmocka_unit_test(test_M3_dirty_pages_reach_the_file),
		cmocka_unit_test(test_M5_other_mappings_keep_the_memory),
		cmocka_unit_test(test_M5_system_v_segment),
		cmocka_unit_test(test_I2_altered_private_pages_are_returned),
		cmocka_unit_test(test_I4_null_is_not_valid),
		cmocka_unit_test(test_I5_concurrent_unmapping_succeeds_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
