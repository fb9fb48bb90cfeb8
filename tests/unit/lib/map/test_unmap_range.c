/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_unmap_range.c - the unmapping rules for parts of mappings, a test for each rule in
 * lib/README.md
 */
#include "parts.h"
#include <sys/statvfs.h>

/* Under TSan written memory has a shadow, which counts for this process too. */
#define SHADOWED ON_TSAN

static void test_P1_whole_pages_are_removed(void **state)
{
	struct pmem2_map *map = map_pages(PAGES);

	(void)state;
	assert_ok(pmem2_unmap_range(map, 0, 1, 0));
	check(map, "-xxxxxxx");
	assert_ok(pmem2_unmap_range(map, 2 * page, page + 1, 0));
	check(map, "-x--xxxx");
	assert_ok(pmem2_unmap_range(map, 7 * page, page, 0));
	check(map, "-x--xxx-");
	*page_of(map, 1) = 'x';
	*page_of(map, 6) = 'x';
	assert_int_equal(pmem2_map_get_size(map), PAGES * page);
	assert_ok(pmem2_unmap(&map));
}

static void test_P2_references_raise_SIGSEGV(void **state)
{
	struct pmem2_map *map;

	(void)state;
	if (on_valgrind())
		skip();
	map = map_pages(PAGES);
	assert_ok(pmem2_unmap_range(map, 3 * page, 2 * page, 0));
	for (size_t i = 0; i < PAGES; i++)
		assert_int_equal(fault_of_reading(page_of(map, i)), i == 3 || i == 4 ? SIGSEGV : 0);
	assert_int_equal(fault_of_reading(page_of(map, 3) + page - 1), SIGSEGV);
	assert_ok(pmem2_unmap(&map));
}

static void test_P3_unmapped_parts_are_no_error(void **state)
{
	struct pmem2_map *map = map_pages(PAGES);
	struct pmem2_map *copy = map;
	uint32_t slot;

	(void)state;
	assert_ok(pmem2_unmap_range(map, page, page, 0));
	assert_ok(pmem2_unmap_range(map, page, page, 0));
	assert_ok(pmem2_unmap_range(map, 4 * page, 2 * page, 0));
	assert_ok(pmem2_unmap_range(map, 0, 7 * page, 0));
	check(map, "-------x");
	assert_ok(pmem2_unmap_range(map, 0, PAGES * page, 0));
	assert_ok(pmem2_unmap_range(map, 0, PAGES * page, 0));
	check(map, "--------");

	/* The object is still there, and in the table under any label. */
	assert_int_equal(pmem2_map_get_size(map), PAGES * page);
	assert_ok(pmem2fs_map_get_slot(map, &slot));
	assert_ok(pmem2fs_map_set_label(map, "empty", 5));
	assert_ok(pmem2fs_map_get_slot(map, &slot));
	assert_ok(pmem2_unmap(&map));
	assert_null(map);
	assert_int_equal(pmem2_unmap_range(copy, 0, page, 0), PMEM2_E_MAPPING_NOT_FOUND);
}

static void test_P4_private_modifications_are_discarded(void **state)
{
	int fd = make_file(2 * PAGE);
	struct pmem2_map *map = map_source(fd_source(fd), PMEM2_PRIVATE);
	char byte = 'm';

	(void)state;
	((char *)pmem2_map_get_address(map))[PAGE] = 'm';
	assert_ok(pmem2_unmap_range(map, PAGE, PAGE, 0));
	assert_int_equal(pread(fd, &byte, 1, PAGE), 1);
	assert_int_equal(byte, 0);
	assert_ok(pmem2_unmap(&map));
	close(fd);
}

static void test_P5_memory_locks_are_removed(void **state)
{
	struct pmem2_map *map = map_anon(PAGES * PAGE, PMEM2_SHARED);
	size_t before = status_kib("VmLck:");

	(void)state;
	if (mlock(pmem2_map_get_address(map), PAGES * PAGE) || status_kib("VmLck:") == before) {
		assert_ok(pmem2_unmap(&map));
		skip();
	}
	assert_int_equal(status_kib("VmLck:"), before + PAGES * 4);
	assert_ok(pmem2_unmap_range(map, 2 * PAGE, 3 * PAGE, 0));
	assert_int_equal(status_kib("VmLck:"), before + (PAGES - 3) * 4);
	assert_ok(pmem2_unmap(&map));
	assert_int_equal(status_kib("VmLck:"), before);
}

static void test_P6_start_must_be_on_a_page(void **state)
{
	struct pmem2_map *map = map_pages(PAGES);
	size_t offsets[] = {1, page - 1, page + 8, page / 2, PAGES * page - 1};

	(void)state;
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		assert_int_equal(pmem2_unmap_range(map, offsets[i], 1, 0), -EINVAL);
	check(map, "xxxxxxxx");
	assert_ok(pmem2_unmap(&map));
}

static void test_P7_length_0(void **state)
{
	struct pmem2_map *map = map_pages(PAGES);

	(void)state;
	assert_int_equal(pmem2_unmap_range(map, 0, 0, 0), -EINVAL);
	assert_int_equal(pmem2_unmap_range(map, page, 0, PMEM2_UNMAP_STRICT), -EINVAL);
	assert_int_equal(pmem2_unmap_range(map, PAGES * page, 0, 0), -EINVAL);
	check(map, "xxxxxxxx");
	assert_ok(pmem2_unmap(&map));
}

static void test_P8_range_leaves_the_mapping(void **state)
{
	struct pmem2_map *map = map_pages(PAGES);
	const struct {
		size_t offset, length;
	} ranges[] = {
		{0, PAGES * page + 1},
		{page, PAGES * page},
		{7 * page, page + 1},
		{PAGES * page, 1},
		{PAGES * page, page},
		{100 * page, page},
		{SIZE_MAX / page * page, page},
		{SIZE_MAX / page * page, PTRDIFF_MAX},
		{page, PTRDIFF_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		assert_int_equal(pmem2_unmap_range(map, ranges[i].offset, ranges[i].length, 0),
				 -EINVAL);
	check(map, "xxxxxxxx");
	assert_ok(pmem2_unmap(&map));
}

/* The end of a mapping is that of its last page, not of the file. */
static void test_P8_odd_size(void **state)
{
	int fd = make_file(PAGE + 100);
	struct pmem2_map *map = map_fd(fd);

	(void)state;
	assert_int_equal(pmem2_unmap_range(map, PAGE, PAGE + 1, 0), -EINVAL);
	assert_ok(pmem2_unmap_range(map, PAGE, PAGE, PMEM2_UNMAP_STRICT));
	check(map, "x-");
	assert_ok(pmem2_unmap_range(map, 0, 2 * PAGE, 0));
	check(map, "--");
	assert_ok(pmem2_unmap(&map));
	close(fd);
}

static void test_P9_foreign_memory_is_not_touched(void **state)
{
	struct pmem2_map *map = map_pages(PAGES);
	char *address = pmem2_map_get_address(map);
	char *foreign;

	(void)state;
	assert_ok(pmem2_unmap_range(map, 2 * page, 3 * page, 0));
	foreign = map_there(address + 3 * page);
	strcpy(foreign, "foreign");
	assert_ok(pmem2_unmap_range(map, page, 5 * page, 0));
	check(map, "x--x--xx");
	assert_string_equal(foreign, "foreign");
	assert_int_equal(pmem2_unmap_range(map, 3 * page, page, PMEM2_UNMAP_STRICT), -EINVAL);
	assert_ok(pmem2_unmap(&map));
	assert_string_equal(foreign, "foreign");
	for (size_t i = 0; i < PAGES; i++)
		assert_int_equal(is_mapped(address + i * page), i == 3);
	assert_ok(munmap(foreign, page));
}

/* Other memory in a gap of a mapping is no part of the mapping. */
static void test_M1_foreign_memory_does_not_count(void **state)
{
	struct pmem2_map *map = map_pages(PAGES);
	void *foreign[2];

	(void)state;
	assert_ok(pmem2_unmap_range(map, 2 * page, page, 0));
	assert_ok(pmem2_unmap_range(map, 5 * page, page, 0));
	foreign[0] = map_there(page_of(map, 2));
	foreign[1] = map_there(page_of(map, 5));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
			pmem2_unmap_range(map, (3 + i) * page, 2 * page, PMEM2_UNMAP_STRICT),
			i ? -EINVAL : 0);
	assert_int_equal(pmem2_unmap_range(map, page, 2 * page, PMEM2_UNMAP_STRICT), -EINVAL);
	assert_ok(pmem2_unmap(&map));
	for (size_t i = 0; i < 2; i++)
		assert_ok(munmap(foreign[i], page));
}

/* Another mapping may be placed where a part was unmapped. */
static void test_P9_neighbour_in_the_gap(void **state)
{
	struct pmem2_map *map = map_pages(PAGES);
	struct pmem2_source *source = anon_source(PAGE);
	struct pmem2_map *other;
	char *memory;

	(void)state;
	assert_int_equal(pmem2_map_from_existing(&other, source, page_of(map, 3), page, 0),
			 PMEM2_E_MAP_EXISTS);
	assert_ok(pmem2_unmap_range(map, 3 * page, page, 0));
	memory = map_there(page_of(map, 3));
	assert_ok(pmem2_map_from_existing(&other, source, memory, page, 0));
	assert_int_equal(pmem2_unmap_range(other, 0, page, 0), PMEM2_E_NOSUPP);
	assert_true(is_mapped(memory));
	assert_ok(pmem2_unmap(&map));
	assert_true(is_mapped(memory));
	assert_ok(pmem2_unmap(&other));
	assert_ok(munmap(memory, page));
	assert_ok(pmem2_source_delete(&source));
}

static void test_M1_strict_wants_all_of_it(void **state)
{
	struct pmem2_map *map = map_pages(PAGES);

	(void)state;
	assert_ok(pmem2_unmap_range(map, 2 * page, page, PMEM2_UNMAP_STRICT));
	assert_int_equal(pmem2_unmap_range(map, 2 * page, page, PMEM2_UNMAP_STRICT), -EINVAL);
	assert_int_equal(pmem2_unmap_range(map, page, 2 * page, PMEM2_UNMAP_STRICT), -EINVAL);
	assert_int_equal(pmem2_unmap_range(map, 2 * page, 2 * page, PMEM2_UNMAP_STRICT), -EINVAL);
	assert_int_equal(pmem2_unmap_range(map, 0, PAGES * page, PMEM2_UNMAP_STRICT), -EINVAL);
	check(map, "xx-xxxxx");
	/* A part that the program has unmapped with munmap counts too. */
	assert_ok(munmap(page_of(map, 5), page));
	assert_int_equal(pmem2_unmap_range(map, 4 * page, 3 * page, PMEM2_UNMAP_STRICT), -EINVAL);
	check(map, "xx-xx-xx");
	assert_ok(pmem2_unmap_range(map, 6 * page, page + 1, PMEM2_UNMAP_STRICT));
	check(map, "xx-xx---");
	assert_int_equal(pmem2_unmap_range(map, 0, page, 2), -EINVAL);
	assert_int_equal(pmem2_unmap_range(map, 0, page, ~0u), -EINVAL);
	assert_ok(pmem2_unmap_range(map, 0, PAGES * page, 0));
	assert_ok(pmem2_unmap(&map));
}

static void test_M2_negative_length(void **state)
{
	struct pmem2_map *map = map_pages(PAGES);

	(void)state;
	assert_int_equal(pmem2_unmap_range(map, 0, (size_t)-1, 0), -EINVAL);
	assert_int_equal(pmem2_unmap_range(map, 0, -page, 0), -EINVAL);
	assert_int_equal(pmem2_unmap_range(map, 0, (size_t)PTRDIFF_MAX + 1, 0), -EINVAL);
	assert_int_equal(pmem2_unmap_range(map, page, -page, 0), -EINVAL);
	assert_int_equal(pmem2_unmap_range(map, page, -page, PMEM2_UNMAP_STRICT), -EINVAL);
	check(map, "xxxxxxxx");
	assert_ok(pmem2_unmap(&map));
}

static void test_M3_dirty_pages_reach_the_file(void **state)
{
	int fd = make_file(4 * PAGE);
	struct pmem2_map *map = map_fd(fd);
	char text[8] = "";

	(void)state;
	strcpy((char *)pmem2_map_get_address(map) + 2 * PAGE, "dirty");
	assert_ok(pmem2_unmap_range(map, 2 * PAGE, PAGE, 0));
	assert_ok(fsync(fd));
	assert_int_equal(pread(fd, text, 6, 2 * PAGE), 6);
	assert_string_equal(text, "dirty");
	assert_ok(pmem2_unmap(&map));
	close(fd);
}

static void test_M4_anonymous_memory_is_discarded(void **state)
{
	struct pmem2_map *map;
	size_t before;

	(void)state;
	if (SHADOWED)
		skip();
	map = map_anon(32 * MIB, PMEM2_PRIVATE);
	before = status_kib("RssAnon:");
	memset(pmem2_map_get_address(map), 'a', 32 * MIB);
	assert_true(status_kib("RssAnon:") >= before + 31 * 1024);
	assert_ok(pmem2_unmap_range(map, 8 * MIB, 16 * MIB, 0));
	assert_true(status_kib("RssAnon:") <= before + 17 * 1024 + SHADOW(32 * 1024));
	assert_ok(pmem2_unmap_range(map, 0, 32 * MIB, 0));
	assert_true(status_kib("RssAnon:") <= before + 1024 + SHADOW(32 * 1024));
	assert_ok(pmem2_unmap(&map));
}

static void test_M5_other_mappings_keep_the_memory(void **state)
{
	int fd = node ? open(node, O_RDWR | O_CLOEXEC) : make_file(4 * PAGE);
	struct pmem2_config *config = page_config();
	struct pmem2_source *source = fd_source(fd);
	struct pmem2_map *one;
	struct pmem2_map *two;

	(void)state;
	assert_ok(pmem2_config_set_length(config, 4 * page));
	assert_ok(pmem2_map_new(&one, config, source));
	assert_ok(pmem2_map_new(&two, config, source));
	strcpy(page_of(one, 1), "kept");
	assert_ok(pmem2_unmap_range(one, page, page, 0));
	check(one, "x-xx");
	check(two, "xxxx");
	assert_string_equal(page_of(two, 1), "kept");
	assert_ok(pmem2_unmap(&one));
	assert_string_equal(page_of(two, 1), "kept");
	assert_ok(pmem2_unmap(&two));
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
	close(fd);
}

static void test_I1_pages_of_this_mapping_only(void **state)
{
	struct pmem2_map *maps[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		maps[i] = map_pages(PAGES);
	assert_ok(pmem2_unmap_range(maps[1], 0, PAGES * page, 0));
	check(maps[0], "xxxxxxxx");
	check(maps[1], "--------");
	check(maps[2], "xxxxxxxx");
	assert_ok(pmem2_unmap_range(maps[2], page, 1, 0));
	check(maps[2], "x-xxxxxx");
	for (int i = 0; i < 3; i++)
		assert_ok(pmem2_unmap(&maps[i]));
}

static void test_I2_altered_private_pages_are_returned(void **state)
{
	struct pmem2_map *map;
	size_t before;
	int fd;

	(void)state;
	if (SHADOWED)
		skip();
	fd = make_file(32 * MIB);
	map = map_source(fd_source(fd), PMEM2_PRIVATE);
	before = status_kib("RssAnon:");
	memset(pmem2_map_get_address(map), 'p', 32 * MIB);
	assert_ok(pmem2_unmap_range(map, 0, 16 * MIB, 0));
	assert_true(status_kib("RssAnon:") <= before + 17 * 1024 + SHADOW(32 * 1024));
	assert_true(status_kib("RssAnon:") >= before + 15 * 1024);
	assert_ok(pmem2_unmap(&map));
	close(fd);
}

static int space_comes_back(const char *mount_point)
{
	struct statvfs empty, full, after;
	struct pmem2_map *map;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/file", mount_point);
	if (statvfs(mount_point, &empty))
		return 2;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 16 * MIB))
		return 3;
	map = map_fd(fd);
	memset(pmem2_map_get_address(map), 'f', 16 * MIB);
	close(fd);
	unlink(path);
	if (pmem2_unmap_range(map, 8 * MIB, 8 * MIB, 0) || statvfs(mount_point, &full) ||
	    full.f_bfree > empty.f_bfree - 16 * MIB / full.f_bsize)
		return 4;
	/* The object holds no reference to the file once nothing of it is mapped. */
	if (pmem2_unmap_range(map, 0, 8 * MIB, 0) || statvfs(mount_point, &after) ||
	    after.f_bfree != empty.f_bfree)
		return 5;
	return pmem2_unmap(&map) ? 6 : 0;
}

static void test_I3_unlinked_file_disappears(void **state)
{
	int result = in_own_tmpfs(space_comes_back);

	(void)state;
	if (result == 77)
		skip();
	assert_int_equal(result, 0);
}

static void test_I4_null_is_not_valid(void **state)
{
	int wild;

	(void)state;
	assert_int_equal(pmem2_unmap_range(NULL, 0, PAGE, 0), PMEM2_E_MAPPING_NOT_FOUND);
	assert_int_equal(pmem2_unmap_range((struct pmem2_map *)&wild, 0, PAGE, 0),
			 PMEM2_E_MAPPING_NOT_FOUND);
	assert_int_equal(pmem2_unmap_range((struct pmem2_map *)~0ul, 0, PAGE, 0),
			 PMEM2_E_MAPPING_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_P1_whole_pages_are_removed),
		cmocka_unit_test(test_P2_references_raise_SIGSEGV),
		cmocka_unit_test(test_P3_unmapped_parts_are_no_error),
		cmocka_unit_test(test_P4_private_modifications_are_discarded),
		cmocka_unit_test(test_P5_memory_locks_are_removed),
		cmocka_unit_test(test_P6_start_must_be_on_a_page),
		cmocka_unit_test(test_P7_length_0),
		cmocka_unit_test(test_P8_range_leaves_the_mapping),
		cmocka_unit_test(test_P8_odd_size),
		cmocka_unit_test(test_P9_foreign_memory_is_not_touched),
		cmocka_unit_test(test_P9_neighbour_in_the_gap),
		cmocka_unit_test(test_M1_strict_wants_all_of_it),
		cmocka_unit_test(test_M1_foreign_memory_does_not_count),
		cmocka_unit_test(test_M2_negative_length),
		cmocka_unit_test(test_M3_dirty_pages_reach_the_file),
		cmocka_unit_test(test_M4_anonymous_memory_is_discarded),
		cmocka_unit_test(test_M5_other_mappings_keep_the_memory),
		cmocka_unit_test(test_I1_pages_of_this_mapping_only),
		cmocka_unit_test(test_I2_altered_private_pages_are_returned),
		cmocka_unit_test(test_I3_unlinked_file_disappears),
		cmocka_unit_test(test_I4_null_is_not_valid),
	};

	choose_node();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
