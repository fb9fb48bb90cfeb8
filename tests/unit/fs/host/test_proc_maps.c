/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_proc_maps.c - which parts of a mapping are left, by the areas of this process
 */
#include "host/proc_maps.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE  4096
#define PAGES 8

/* A range of PAGES pages with an unmapped page on either side. */
static unsigned char *place;

static int begin(void **state)
{
	unsigned char *p =
		mmap(NULL, (PAGES + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	if (p == MAP_FAILED || munmap(p, (PAGES + 2) * PAGE))
		return -1;
	place = p + PAGE;
	return 0;
}

static int end(void **state)
{
	(void)state;
	return munmap(place - PAGE, (PAGES + 2) * PAGE);
}

static void put(unsigned page, unsigned pages, int flags, int fd, unsigned file_page)
{
	assert_ptr_equal(mmap(place + page * PAGE, pages * PAGE, PROT_READ | PROT_WRITE,
			      flags | MAP_FIXED, fd, file_page * PAGE),
			 place + page * PAGE);
}

static void take(unsigned page, unsigned pages)
{
	assert_int_equal(munmap(place + page * PAGE, pages * PAGE), 0);
}

static int new_file(void)
{
	char path[] = "/tmp/pmem2fs-maps-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ftruncate(fd, 2 * PAGES * PAGE), 0);
	return fd;
}

/*
 * The record of a mapping of the whole place: of the file from its page 1 on, or of memory if fd is
 * -1.
 */
static struct pmem2fs_record record_of(int fd, enum pmem2_sharing_type sharing)
{
	struct pmem2fs_record record = {
		.address = (uintptr_t)place,
		.length = PAGES * PAGE,
		.sharing = (uint8_t)sharing,
		.source_type = PMEM2FS_SOURCE_ANONYMOUS,
	};
	struct stat st;

	if (fd >= 0) {
		assert_int_equal(fstat(fd, &st), 0);
		record.source_type = PMEM2FS_SOURCE_FILE;
		record.offset = PAGE;
		record.source_dev = st.st_dev;
		record.source_inode = st.st_ino;
	}
	return record;
}

/*
 * Which pages are left, a bit for each, and ~0 for the whole; *first is the area of the first one.
 */
static unsigned left(const struct pmem2fs_record *record, struct maps_area *first)
{
	const struct maps_area *found;
	struct extents *extents;
	struct maps maps;
	unsigned bits = 0;

	assert_int_equal(maps_read(&maps, getpid()), 0);
	assert_int_equal(maps_find(&maps, record, &extents, &found), 0);
	assert_int_equal(!found, extents && !extents->count);
	if (first)
		*first = found ? *found : (struct maps_area){0};
	maps_clear(&maps);
	if (!extents)
		return ~0u;
	for (size_t i = 0; i < extents->count; i++)
		for (uint64_t page = 0; page < extents->list[i].length / PAGE; page++)
			bits |= 1u << (extents->list[i].offset / PAGE + page);
	free(extents);
	return bits;
}

/* Some pages of a mapping are unmapped, from the middle and from both ends, until none is left. */
static void holes(const struct pmem2fs_record *record)
{
	struct maps_area first;

	assert_int_equal(left(record, &first), ~0u);
	assert_int_equal(first.begin, record->address);
	take(3, 2);
	assert_int_equal(left(record, NULL), 0xe7);
	take(0, 1);
	assert_int_equal(left(record, &first), 0xe6);
	assert_int_equal(first.begin, record->address + PAGE);
	assert_int_equal(first.end, record->address + 3 * PAGE);
	take(7, 1);
	assert_int_equal(left(record, NULL), 0x66);
	take(0, 8);
	assert_int_equal(left(record, NULL), 0);
}

static void of_a_file(void **state)
{
	int fd = new_file();
	struct pmem2fs_record record = record_of(fd, PMEM2_SHARED);

	(void)state;
	put(0, PAGES, MAP_SHARED, fd, 1);
	holes(&record);
	put(0, PAGES, MAP_PRIVATE, fd, 1);
	place[5 * PAGE] = 1; /* a private copy of a page still counts */
	holes(&record);
	close(fd);
}

static void of_memory(void **state)
{
	struct pmem2fs_record record = record_of(-1, PMEM2_PRIVATE);

	(void)state;
	put(0, PAGES, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	holes(&record);
	record.sharing = PMEM2_SHARED;
	put(0, PAGES, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	holes(&record);
}

/* The kernel splits areas without a gap between them. */
static void areas_that_touch_are_the_whole(void **state)
{
	int fd = new_file();
	struct pmem2fs_record record = record_of(fd, PMEM2_SHARED);
	struct maps_area first;

	(void)state;
	put(0, PAGES, MAP_SHARED, fd, 1);
	assert_int_equal(mprotect(place + 2 * PAGE, PAGE, PROT_READ), 0);
	assert_int_equal(left(&record, &first), ~0u);
	assert_int_equal(first.end, record.address + 2 * PAGE);
	take(4, 1);
	assert_int_equal(left(&record, NULL), 0xef);
	close(fd);
}

/* The kernel merges areas of two mappings. */
static void an_area_may_reach_further(void **state)
{
	int fd = new_file();
	struct pmem2fs_record record = record_of(fd, PMEM2_SHARED);
	struct maps_area first;

	(void)state;
	put(0, PAGES, MAP_SHARED, fd, 1);
	record.address += 2 * PAGE;
	record.offset += 2 * PAGE;
	record.length = 3 * PAGE;
	assert_int_equal(left(&record, &first), ~0u);
	assert_int_equal(first.begin, (uintptr_t)place);
	assert_int_equal(first.end, (uintptr_t)place + PAGES * PAGE);
	take(3, 1);
	assert_int_equal(left(&record, NULL), 0x5);
	take(2, 1);
	assert_int_equal(left(&record, &first), 0x4); /* without the area that ends before it */
	assert_int_equal(first.begin, (uintptr_t)place + 4 * PAGE);
	close(fd);
}

static void the_last_page_counts_as_a_whole(void **state)
{
	int fd = new_file();
	struct pmem2fs_record record = record_of(fd, PMEM2_SHARED);

	(void)state;
	record.length = 2 * PAGE + 1;
	put(0, 3, MAP_SHARED, fd, 1);
	assert_int_equal(left(&record, NULL), ~0u);
	take(2, 1);
	assert_int_equal(left(&record, NULL), 0x3);
	close(fd);
}

/* Other mappings at the addresses of an unmapped part do not count. */
static void others_do_not_count(void **state)
{
	int fd = new_file(), other = new_file(), memory = memfd_create("maps", MFD_CLOEXEC);
	struct pmem2fs_record record = record_of(fd, PMEM2_SHARED);
	struct stat st, other_st;
	unsigned alike;

	(void)state;
	/* On file systems without a device, inode numbers may be the same. */
	assert_int_equal(fstat(fd, &st) | fstat(memory, &other_st), 0);
	alike = !major(st.st_dev) && st.st_dev != other_st.st_dev ? 1u << 5 : 0;
	assert_int_equal(ftruncate(memory, PAGES * PAGE), 0);
	put(0, PAGES, MAP_SHARED, fd, 1);
	put(1, 1, MAP_SHARED, other, 2);
	put(2, 1, MAP_SHARED, fd, 5); /* the same file, another offset */
	put(3, 1, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	put(4, 1, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	put(5, 1, MAP_SHARED, memory, 6);
	assert_int_equal(left(&record, NULL), 0xc1 | alike);
	put(0, PAGES, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	put(1, 1, MAP_SHARED, fd, 2);
	put(2, 1, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	record = record_of(-1, PMEM2_PRIVATE);
	assert_int_equal(left(&record, NULL), 0xf9);
	put(0, PAGES, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	put(1, 1, MAP_SHARED, fd, 2);
	put(2, 1, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	put(3, 1, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	record = record_of(-1, PMEM2_SHARED);
	assert_int_equal(left(&record, NULL), 0xf1);
	close(memory);
	close(other);
	close(fd);
}

/*
 * On a file system without a device, the device number of an area is not always the one of fstat,
 * nor is the inode number then.
 */
static void file_systems_without_a_device(void **state)
{
	int fd = memfd_create("maps", MFD_CLOEXEC), other = memfd_create("other", MFD_CLOEXEC);
	struct pmem2fs_record record;

	(void)state;
	assert_int_equal(ftruncate(fd, 2 * PAGES * PAGE), 0);
	assert_int_equal(ftruncate(other, 2 * PAGES * PAGE), 0);
	put(0, PAGES, MAP_SHARED, fd, 1);
	put(1, 1, MAP_SHARED, other, 2);
	record = record_of(fd, PMEM2_SHARED);
	assert_int_equal(major(record.source_dev), 0);
	assert_int_equal(left(&record, NULL), 0xfd);
	record.source_dev = makedev(0, 1048000);
	record.source_inode = 99;
	assert_int_equal(left(&record, NULL), ~0u);
	record.source_dev = makedev(259, 1);
	assert_int_equal(left(&record, NULL), 0);
	close(other);
	close(fd);
}

static void many_areas(void **state)
{
	enum { COUNT = 3000 };
	int fd = new_file();
	unsigned char *many =
		mmap(NULL, 2 * COUNT * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct maps_area *first;
	struct pmem2fs_record record = record_of(fd, PMEM2_SHARED);
	struct extents *extents;
	struct maps maps;

	(void)state;
	assert_true(many != MAP_FAILED);
	for (unsigned i = 0; i < COUNT; i++)
		assert_true(mmap(many + 2 * i * PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
				 PAGE) != MAP_FAILED);
	assert_int_equal(maps_read(&maps, getpid()), 0);
	assert_true(maps.count > 2 * COUNT);
	record.length = PAGE;
	for (unsigned i = 0; i < 2 * COUNT; i++) {
		record.address = (uintptr_t)many + i * PAGE;
		assert_int_equal(maps_find(&maps, &record, &extents, &first), 0);
		if (i % 2) {
			assert_int_equal(extents->count, 0);
			assert_null(first);
		} else {
			assert_null(extents);
			assert_int_equal(first->begin, record.address);
		}
		free(extents);
	}
	maps_clear(&maps);
	munmap(many, 2 * COUNT * PAGE);
	close(fd);
}

static const struct maps_area *area_of(const struct maps *maps, unsigned page)
{
	for (size_t i = 0; i < maps->count; i++)
		if (maps->list[i].begin == (uintptr_t)place + page * PAGE)
			return &maps->list[i];
	fail();
	return NULL;
}

/* Protection, sharing, and whether its name may be that of a table. */
static void what_an_area_tells(void **state)
{
	int fd = new_file(), memory = memfd_create("pmem2fs", MFD_CLOEXEC);
	struct maps maps;

	(void)state;
	assert_int_equal(ftruncate(memory, PAGE), 0);
	put(0, 1, MAP_SHARED, fd, 3);
	put(1, 1, MAP_PRIVATE, fd, 0);
	put(3, 1, MAP_SHARED, memory, 0);
	put(5, 1, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(mprotect(place, PAGE, PROT_NONE), 0);
	assert_int_equal(mprotect(place + PAGE, PAGE, PROT_READ | PROT_EXEC), 0);
	assert_int_equal(maps_read(&maps, getpid()), 0);
	assert_int_equal(maps.task, getpid());
	assert_int_equal(area_of(&maps, 0)->protection, 0);
	assert_true(area_of(&maps, 0)->shared);
	assert_int_equal(area_of(&maps, 0)->offset, 3 * PAGE);
	assert_int_equal(area_of(&maps, 0)->name, MAPS_OTHER);
	assert_int_equal(area_of(&maps, 1)->protection, 5);
	assert_false(area_of(&maps, 1)->shared);
	assert_int_equal(area_of(&maps, 3)->protection, 3);
	assert_int_equal(area_of(&maps, 3)->name, MAPS_TABLE);
	assert_int_equal(area_of(&maps, 5)->name, MAPS_ZERO);
	maps_clear(&maps);
	close(memory);
	close(fd);
}

/* As the link in map_files has it, which may have a newline; then there is none. */
static void paths_of_files(void **state)
{
	static const char *const ends[] = {"", " (deleted)", "\\", "\\013", "\xff", "\n", "\\012"};
	char folder[] = "/tmp/pmem2fs-maps-XXXXXX", path[64];
	struct maps maps;

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (unsigned i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		bool newline = i > 4;
		int fd;

		snprintf(path, sizeof(path), "%s/f  x%s", folder, ends[i]);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		assert_int_equal(ftruncate(fd, 2 * PAGE), 0);
		put(0, 1, MAP_SHARED, fd, 0);
		put(2, 1, MAP_PRIVATE, fd, 0);
		put(4, 1, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		assert_int_equal(maps_read_with_paths(&maps, getpid()), 0);
		if (newline) {
			assert_null(maps_path(&maps, area_of(&maps, 0)));
		} else {
			assert_string_equal(maps_path(&maps, area_of(&maps, 0)), path);
			assert_ptr_equal(maps_path(&maps, area_of(&maps, 0)),
					 maps_path(&maps, area_of(&maps, 2)));
			assert_string_equal(maps_path(&maps, area_of(&maps, 4)),
					    "/dev/zero (deleted)");
		}
		maps_clear(&maps);
		assert_int_equal(maps_read(&maps, getpid()), 0);
		assert_null(maps_path(&maps, area_of(&maps, 0)));
		maps_clear(&maps);
		unlink(path);
		close(fd);
	}
	rmdir(folder);
}

static bool is_kernel_thread(pid_t pid)
{
	char path[32], name[16] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	assert_non_null(fgets(name, sizeof(name), file));
	fclose(file);
	return !strcmp(name, "kthreadd\n");
}

/*
 * A kernel thread has no memory, which is no error. Such threads are visible in the first pid
 * namespace only, as in the virtual machine.
 */
/* Folders in each other, so that the path is longer than anybody may tell the kernel. */
static void enter_deep_folder(void)
{
	char name[251];

	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < 600; i++) {
		assert_int_equal(mkdir(name, 0700), 0);
		assert_int_equal(chdir(name), 0);
	}
}

/* A list that cannot be read would hide the process, and make each look incomplete. */
static void a_path_of_any_length(void **state)
{
	char folder[] = "/tmp/pmem2fs-maps-XXXXXX", command[64];
	const struct maps_area *area;
	struct pmem2fs_record record;
	struct extents *extents;
	struct stat st;
	struct maps maps;
	int back = open(".", O_PATH | O_CLOEXEC), fd;

	(void)state;
	assert_true(back >= 0);
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	enter_deep_folder();
	fd = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchdir(back), 0);
	assert_int_equal(ftruncate(fd, 2 * PAGES * PAGE), 0);
	put(0, 2, MAP_SHARED, fd, 1);
	put(3, PAGES - 3, MAP_SHARED, fd, 4);
	record = record_of(fd, PMEM2_SHARED);
	assert_int_equal(fstat(fd, &st), 0);
	for (int with_paths = 0; with_paths < 2; with_paths++) {
		assert_int_equal(with_paths ? maps_read_with_paths(&maps, getpid())
					    : maps_read(&maps, getpid()),
				 0);
		assert_true(maps.text_length > 2 * 150000);
		assert_int_equal(maps_find(&maps, &record, &extents, &area), 0);
		assert_non_null(area);
		assert_int_equal(area->inode, st.st_ino);
		assert_null(maps_path(&maps, area));
		assert_int_equal(extents->count, 2);
		assert_int_equal(extents->list[1].length, (PAGES - 3) * PAGE);
		free(extents);
		maps_clear(&maps);
	}
	close(fd);
	close(back);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}

static void of_a_kernel_thread(void **state)
{
	struct maps maps;

	(void)state;
	if (geteuid() || !is_kernel_thread(2))
		skip();
	assert_int_equal(maps_read(&maps, 2), 0);
	assert_int_equal(maps.count, 0);
	maps_clear(&maps);
}

static void of_no_process(void **state)
{
	struct maps maps = {.count = 7};

	(void)state;
	assert_int_equal(maps_read(&maps, 0x7ffffffe), -ENOENT);
	assert_int_equal(maps.count, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(of_a_file, begin, end),
		cmocka_unit_test_setup_teardown(of_memory, begin, end),
		cmocka_unit_test_setup_teardown(areas_that_touch_are_the_whole, begin, end),
		cmocka_unit_test_setup_teardown(an_area_may_reach_further, begin, end),
		cmocka_unit_test_setup_teardown(the_last_page_counts_as_a_whole, begin, end),
		cmocka_unit_test_setup_teardown(others_do_not_count, begin, end),
		cmocka_unit_test_setup_teardown(file_systems_without_a_device, begin, end),
		cmocka_unit_test_setup_teardown(what_an_area_tells, begin, end),
		cmocka_unit_test_setup_teardown(paths_of_files, begin, end),
		cmocka_unit_test_setup_teardown(a_path_of_any_length, begin, end),
		cmocka_unit_test(many_areas),
		cmocka_unit_test(of_a_kernel_thread),
		cmocka_unit_test(of_no_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
