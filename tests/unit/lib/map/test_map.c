/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_map.c - every result of making a mapping, and what it costs in system calls
 */
#include "helper.h"
#include "source/source.h"
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX 0x00200000
#endif

static int mmaps;
static int mremaps;
static int munmaps;
static int mmap_error; /* what mmap is made to fail with, 0: nothing */

void *__real_mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset);
void *__real_mremap(void *old, size_t old_length, size_t length, int flags, void *place);
void *__wrap_mremap(void *old, size_t old_length, size_t length, int flags, void *place);
int __real_munmap(void *address, size_t length);
int __wrap_munmap(void *address, size_t length);

void *__wrap_mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	mmaps++;
	if (mmap_error) {
		errno = mmap_error;
		return MAP_FAILED;
	}
	return __real_mmap64(address, length, prot, flags, fd, offset);
}

void *__wrap_mremap(void *old, size_t old_length, size_t length, int flags, void *place)
{
	mremaps++;
	return __real_mremap(old, old_length, length, flags, place);
}

int __wrap_munmap(void *address, size_t length)
{
	munmaps++;
	return __real_munmap(address, length);
}

enum what { FILE_5000, FILE_EMPTY, FILE_PATH_ONLY, FILE_READ_ONLY, FILE_CLOSED, ANON, ANON_EMPTY };

static struct pmem2_source *open_source(enum what what, int *fd)
{
	struct pmem2_source *source;
	char path[64];

	*fd = -1;
	if (what == ANON || what == ANON_EMPTY)
		return anon_source(what == ANON ? 10000 : 0);
	*fd = make_file(what == FILE_EMPTY ? 0 : 5000);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
	if (what == FILE_PATH_ONLY || what == FILE_READ_ONLY) {
		int other = open(path, what == FILE_PATH_ONLY ? O_PATH : O_RDONLY);

		assert_true(other >= 0);
		close(*fd);
		*fd = other;
	}
	source = fd_source(*fd);
	if (what == FILE_CLOSED) {
		close(*fd);
		*fd = -1;
	}
	return source;
}

static void test_results(void **state)
{
	static const struct {
		enum what what;
		size_t offset;
		size_t length;
		int error;
		size_t size;
	} cases[] = {
		{FILE_5000, 0, 0, 0, 5000},
		{FILE_5000, 4096, 0, 0, 904},
		{FILE_5000, 0, 4096, 0, 4096},
		{FILE_5000, 0, 5000, PMEM2_E_LENGTH_UNALIGNED, 0},
		{FILE_5000, 0, 8192, PMEM2_E_MAP_RANGE, 0},
		{FILE_5000, 4096, 4096, PMEM2_E_MAP_RANGE, 0},
		{FILE_5000, 8192, 0, PMEM2_E_MAP_RANGE, 0},
		{FILE_5000, 4096, SIZE_MAX - 4095, PMEM2_E_MAP_RANGE, 0},
		{FILE_5000, 100, 0, PMEM2_E_OFFSET_UNALIGNED, 0},
		{FILE_5000, 100, 100, PMEM2_E_OFFSET_UNALIGNED, 0},
		{FILE_EMPTY, 0, 0, PMEM2_E_SOURCE_EMPTY, 0},
		{FILE_EMPTY, 0, 4096, PMEM2_E_SOURCE_EMPTY, 0},
		{FILE_EMPTY, 0, 100, PMEM2_E_SOURCE_EMPTY, 0},
		{FILE_EMPTY, 100, 0, PMEM2_E_OFFSET_UNALIGNED, 0},
		{FILE_PATH_ONLY, 0, 0, -EBADF, 0},
		{FILE_READ_ONLY, 0, 0, PMEM2_E_NO_ACCESS, 0},
		{FILE_CLOSED, 0, 0, PMEM2_E_INVALID_FILE_HANDLE, 0},
		{FILE_CLOSED, 100, 0, PMEM2_E_INVALID_FILE_HANDLE, 0},
		{ANON, 0, 0, 0, 10000},
		{ANON, 0, 8192, 0, 8192},
		{ANON, 4096, 4096, 0, 4096},
		{ANON, 4096, 0, 0, 10000},
		{ANON, 0, 12288, PMEM2_E_MAP_RANGE, 0},
		{ANON, 12288, 0, PMEM2_E_MAP_RANGE, 0},
		{ANON, 1, 0, PMEM2_E_OFFSET_UNALIGNED, 0},
		{ANON_EMPTY, 0, 0, PMEM2_E_SOURCE_EMPTY, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pmem2_map *map = (void *)1;
		struct pmem2_config *config = page_config();
		struct pmem2_source *source;
		int fd;

		source = open_source(cases[i].what, &fd);
		assert_ok(pmem2_config_set_offset(config, cases[i].offset));
		assert_ok(pmem2_config_set_length(config, cases[i].length));
		assert_int_equal(pmem2_map(&map, config, source), cases[i].error);
		if (cases[i].error) {
			assert_null(map);
			assert_true(pmem2_errormsg()[0]);
		} else {
			assert_int_equal(pmem2_map_get_size(map), cases[i].size);
			assert_int_equal((uintptr_t)pmem2_map_get_address(map) % (2 * MIB), 0);
			assert_ok(pmem2_map_delete(&map));
			assert_null(map);
		}
		assert_ok(pmem2_config_delete(&config));
		assert_ok(pmem2_source_delete(&source));
		if (fd >= 0)
			close(fd);
	}
}

/* A mapping at the end of the file would be empty: mmap's own error. */
static void test_offset_at_the_end(void **state)
{
	int fd = make_file(2 * PAGE);
	struct pmem2_source *source = fd_source(fd);
	struct pmem2_config *config = page_config();
	struct pmem2_map *map;
	char name[64];
	int path;

	(void)state;
	assert_ok(pmem2_config_set_offset(config, 2 * PAGE));
	assert_int_equal(pmem2_map_new(&map, config, source), -EINVAL);
	assert_int_equal(errno, EINVAL);
	assert_ok(pmem2_source_delete(&source));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	path = open(name, O_PATH | O_CLOEXEC);
	source = fd_source(path);
	assert_int_equal(pmem2_map_new(&map, config, source), -EBADF);
	assert_int_equal(errno, EBADF);
	assert_ok(pmem2_source_delete(&source));
	close(path);
	close(fd);
	assert_ok(pmem2_config_delete(&config));
}

static void test_missing_arguments(void **state)
{
	struct pmem2_source *source = anon_source(PAGE);
	struct pmem2_config *config = page_config();
	struct pmem2_config *bare;
	struct pmem2_map *map = (void *)1;

	(void)state;
	assert_int_equal(pmem2_map_new(NULL, config, source), -EINVAL);
	assert_int_equal(pmem2_map_new(&map, NULL, source), -EINVAL);
	assert_null(map);
	assert_int_equal(pmem2_map_new(&map, config, NULL), -EINVAL);
	assert_ok(pmem2_config_new(&bare));
	assert_int_equal(pmem2_map_new(&map, bare, source), PMEM2_E_GRANULARITY_NOT_SET);
	assert_int_equal(pmem2_map_new(&map, bare, NULL), PMEM2_E_GRANULARITY_NOT_SET);
	assert_int_equal(pmem2_map_from_existing(NULL, source, config, 1, 0), -EINVAL);
	assert_int_equal(pmem2_map_from_existing(&map, NULL, config, 1, 0), -EINVAL);
	assert_ok(pmem2_config_delete(&bare));
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
}

static void test_devdax_private(void **state)
{
	struct pmem2_source source = {.type = PMEM2FS_SOURCE_DEVDAX, .fd = -1};
	struct pmem2_config *config = page_config();
	struct pmem2_map *map;

	(void)state;
	/* A device that does not exist: this error comes first. */
	assert_ok(pmem2_config_set_sharing(config, PMEM2_PRIVATE));
	assert_int_equal(pmem2_map_new(&map, config, &source), -ENODEV);
	assert_ok(pmem2_config_delete(&config));
}

static void test_errors_of_mmap(void **state)
{
	static const struct {
		int error;
		int result;
	} cases[] = {
		{EACCES, PMEM2_E_NO_ACCESS},
		{EOPNOTSUPP, PMEM2_E_NOSUPP},
		{EEXIST, PMEM2_E_MAPPING_EXISTS},
		{EAGAIN, -EAGAIN},
		{EBADF, -EBADF},
		{ENFILE, -ENFILE},
		{ENODEV, -ENODEV},
		{ENOMEM, -ENOMEM},
		{EPERM, -EPERM},
		{ETXTBSY, -ETXTBSY},
	};
	struct pmem2_source *source = anon_source(PAGE);
	struct pmem2_config *config = page_config();
	struct pmem2_map *map;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		mmap_error = cases[i].error;
		assert_int_equal(pmem2_map_new(&map, config, source), cases[i].result);
		mmap_error = 0;
		assert_null(map);
	}
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
}

static void test_sharing_and_protection(void **state)
{
	int fd = make_file(PAGE);
	struct pmem2_source *source = fd_source(fd);
	struct pmem2_config *config = page_config();
	struct pmem2_map *map;
	char byte = 0;

	(void)state;
	assert_ok(pmem2_map_new(&map, config, source));
	*(char *)pmem2_map_get_address(map) = 's';
	assert_int_equal(pread(fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 's');
	assert_ok(pmem2_unmap(&map));

	assert_ok(pmem2_config_set_sharing(config, PMEM2_PRIVATE));
	assert_ok(pmem2_map_new(&map, config, source));
	*(char *)pmem2_map_get_address(map) = 'p';
	assert_int_equal(pread(fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 's');
	assert_ok(pmem2_unmap(&map));

	assert_ok(pmem2_config_set_protection(config, PMEM2_PROT_NONE));
	assert_ok(pmem2_map_new(&map, config, source));
	assert_true(is_mapped(pmem2_map_get_address(map)));
	if (!on_valgrind())
		assert_int_equal(write(fd, pmem2_map_get_address(map), 1), -1);
	assert_ok(pmem2_unmap(&map));
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
	close(fd);
}

/* As libpmem2 does: memory that a child of a fork shares, or not. */
static void test_anonymous_sharing(void **state)
{
	static const enum pmem2_sharing_type types[] = {PMEM2_SHARED, PMEM2_PRIVATE};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pmem2_map *map = map_anon(PAGE, types[i]);
		volatile char *memory = pmem2_map_get_address(map);
		pid_t pid = fork();

		if (pid == 0) {
			memory[0] = 'c';
			_exit(0);
		}
		assert_true(waitpid(pid, NULL, 0) == pid);
		assert_int_equal(memory[0], types[i] == PMEM2_SHARED ? 'c' : 0);
		assert_ok(pmem2_unmap(&map));
	}
}

static void test_common_case_is_one_mmap_and_one_munmap(void **state)
{
	struct pmem2_source *source;
	struct pmem2_config *config;
	struct pmem2_map *maps[100];
	int fd;

	(void)state;
	if (on_valgrind())
		skip();
	fd = make_file(2 * MIB);
	source = fd_source(fd);
	config = page_config();
	assert_ok(pmem2_map_new(&maps[0], config, source));
	mmaps = mremaps = munmaps = 0;
	for (int i = 1; i < 100; i++)
		assert_ok(pmem2_map_new(&maps[i], config, source));
	assert_int_equal(mmaps, 99);
	for (int i = 0; i < 100; i++)
		assert_ok(pmem2_unmap(&maps[i]));
	assert_int_equal(munmaps, 100);
	for (int i = 0; i < 100; i++) {
		assert_ok(pmem2_map_new(&maps[0], config, source));
		assert_ok(pmem2_unmap(&maps[0]));
	}
	assert_int_equal(mmaps, 199);
	assert_int_equal(munmaps, 200);
	assert_int_equal(mremaps, 0);
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
	close(fd);
}

/* Where the kernel shows whether a file has DAX, it never refuses MAP_SYNC. */
static void test_fresh_source_is_one_mmap(void **state)
{
	struct pmem2_config *config = page_config();
	int fd = make_file(2 * MIB);
	struct pmem2_source *source;
	struct pmem2_map *map;
	struct statx stx;

	(void)state;
	assert_ok(statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx));
	if (on_valgrind() || !(stx.stx_attributes_mask & STATX_ATTR_DAX))
		skip();
	source = fd_source(fd);
	assert_ok(pmem2_map_new(&map, config, source));
	assert_ok(pmem2_unmap(&map));
	assert_ok(pmem2_source_delete(&source));
	mmaps = munmaps = 0;
	for (int i = 0; i < 100; i++) {
		source = fd_source(fd);
		assert_ok(pmem2_map_new(&map, config, source));
		assert_ok(pmem2_unmap(&map));
		assert_ok(pmem2_source_delete(&source));
	}
	assert_int_equal(mmaps, 100);
	assert_int_equal(munmaps, 100);
	assert_ok(pmem2_config_delete(&config));
	close(fd);
}

static void test_from_existing(void **state)
{
	struct pmem2_source *source = anon_source(PAGE);
	struct pmem2_map *map;
	struct pmem2_map *other = (void *)1;

	(void)state;
	assert_ok(pmem2_map_from_existing(&map, source, (void *)0xffff, 0xff,
					  PMEM2_GRANULARITY_CACHE_LINE));
	assert_ptr_equal(pmem2_map_get_address(map), (void *)0xffff);
	assert_int_equal(pmem2_map_get_size(map), 0xff);
	assert_int_equal(pmem2_map_get_store_granularity(map), PMEM2_GRANULARITY_CACHE_LINE);
	for (uintptr_t address = 0xff00; address < 0xffff + 0xff; address += 0xff)
		assert_int_equal(pmem2_map_from_existing(&other, source, (void *)(address + 1),
							 0xff, PMEM2_GRANULARITY_BYTE),
				 PMEM2_E_MAP_EXISTS);
	assert_ptr_equal(other, (void *)1);
	/* An adjacent mapping is no overlap. */
	assert_ok(pmem2_map_from_existing(&other, source, (void *)(0xffff + 0xff), 1, 0));
	assert_ok(pmem2_unmap(&other));
	assert_ok(pmem2_map_from_existing(&other, source, (void *)0xfffe, 1, 0));
	assert_ok(pmem2_unmap(&other));
	assert_ok(pmem2_unmap(&map));
	assert_null(map);

	other = (void *)1;
	assert_int_equal(pmem2_map_from_existing(&other, source, NULL, 1, 0), PMEM2_E_ADDRESS_NULL);
	assert_int_equal(pmem2_map_from_existing(&other, source, (void *)PAGE, 0, 0), -EINVAL);
	assert_int_equal(pmem2_map_from_existing(&other, source, (void *)PAGE, SIZE_MAX, 0),
			 PMEM2_E_MAP_RANGE);
	assert_int_equal(pmem2_map_from_existing(&other, source, (void *)PAGE, 1, 3),
			 PMEM2_E_GRANULARITY_NOT_SUPPORTED);
	assert_ptr_equal(other, (void *)1);
	assert_ok(pmem2_source_delete(&source));
}

static bool names_inode(ino_t inode)
{
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned long number;
	bool found = false;
	char line[512];

	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "%*s %*s %*s %*s %lu", &number) == 1 && number == inode;
	fclose(file);
	return found;
}

static void test_refused_granularity_leaves_nothing(void **state)
{
	struct pmem2_config *config = page_config();
	int fd = make_file(PAGE);
	struct pmem2_source *source = fd_source(fd);
	struct pmem2_map *map;
	struct stat st;

	(void)state;
	assert_ok(fstat(fd, &st));
	assert_ok(pmem2_map_new(&map, config, source));
	assert_true(names_inode(st.st_ino));
	assert_ok(pmem2_unmap(&map));
	assert_ok(pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_BYTE));
	assert_int_equal(pmem2_map_new(&map, config, source), PMEM2_E_GRANULARITY_NOT_SUPPORTED);
	assert_false(names_inode(st.st_ino));
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
	close(fd);
}

static void test_from_existing_overlaps_a_new_one(void **state)
{
	struct pmem2_source *source = anon_source(PAGE);
	struct pmem2_map *map = map_anon(PAGE, PMEM2_SHARED);
	struct pmem2_map *other;

	(void)state;
	assert_int_equal(pmem2_map_from_existing(&other, source, pmem2_map_get_address(map), 1, 0),
			 PMEM2_E_MAP_EXISTS);
	/* this error comes before that of the missing out-parameter */
	assert_int_equal(pmem2_map_from_existing(NULL, source, pmem2_map_get_address(map), 1, 0),
			 PMEM2_E_MAP_EXISTS);
	assert_ok(pmem2_unmap(&map));
	assert_ok(pmem2_source_delete(&source));
}

static void test_message_names_the_address_space_limit(void **state)
{
	struct pmem2_source *source;
	struct pmem2_config *config;
	struct rlimit before;
	struct rlimit low;
	struct pmem2_map *map;

	(void)state;
	if (on_valgrind())
		skip();
	source = anon_source(64ul << 30);
	config = page_config();
	assert_ok(getrlimit(RLIMIT_AS, &before));
	low = before;
	low.rlim_cur = 32ul << 30;
	assert_ok(setrlimit(RLIMIT_AS, &low));
	assert_int_equal(pmem2_map_new(&map, config, source), -ENOMEM);
	assert_ok(setrlimit(RLIMIT_AS, &before));
	assert_non_null(strstr(pmem2_errormsg(), "RLIMIT_AS (34359738368 bytes)"));
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_offset_at_the_end),
		cmocka_unit_test(test_missing_arguments),
		cmocka_unit_test(test_devdax_private),
		cmocka_unit_test(test_errors_of_mmap),
		cmocka_unit_test(test_sharing_and_protection),
		cmocka_unit_test(test_anonymous_sharing),
		cmocka_unit_test(test_common_case_is_one_mmap_and_one_munmap),
		cmocka_unit_test(test_fresh_source_is_one_mmap),
		cmocka_unit_test(test_from_existing),
		cmocka_unit_test(test_refused_granularity_leaves_nothing),
		cmocka_unit_test(test_from_existing_overlaps_a_new_one),
		cmocka_unit_test(test_message_names_the_address_space_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
