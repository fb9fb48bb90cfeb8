/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_badblock.c - bad blocks on real pmem: found and read around; for the virtual machine
 *
 * Variables name the places; a test whose variable is not set is skipped:
 *
 *   PMEM2FS_TEST_FSDAX        folder on a file system on a pmem disk or a partition of one. Makes
 *                             files there and marks some of their sectors bad, which lasts until
 *                             the namespace is disabled: give each run a new namespace
 *   PMEM2FS_TEST_STACKED      folder on a file system on a device mapper over a pmem disk
 *   PMEM2FS_TEST_DEVDAX       device-DAX node, which is overwritten, and with it
 *   PMEM2FS_TEST_DEVDAX_BAD   its bad ranges, "OFFSET LENGTH ..." in bytes; may be ""
 *   PMEM2FS_TEST_DISABLE      a command that takes the node away
 */
#include "helper.h"
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_a_bad_sector_is_a_bad_block_of_its_file_only(void **state)
{
	struct place place;
	size_t before, after;
	int file, other;

	(void)state;
	open_place(&place);
	file = make_file(&place, "file", 16 * BLOCK, 16 * BLOCK);
	other = make_file(&place, "other", 16 * BLOCK, 16 * BLOCK);
	assert_bad(file, 0, NULL);
	assert_int_equal(pmem2fs_device_badblock_count(&place.device, &before), 0);

	make_bad(&place, sector_of(&place, file, 3) + 2, 1);
	make_bad(&place, sector_of(&place, file, 3) + 5, 1);
	make_bad(&place, sector_of(&place, file, 15) + 7, 1);
	make_bad(&place, sector_of(&place, other, 0), 8);

	assert_int_equal(pmem2fs_device_badblock_count(&place.device, &after), 0);
	assert_true(after > before && after <= before + 4);
	assert_bad(file, 2, (const size_t[][2]){{3 * BLOCK, BLOCK}, {15 * BLOCK, BLOCK}});
	assert_bad(other, 1, (const size_t[][2]){{0, BLOCK}});
	close(file);
	close(other);
	close(place.folder);
}

static void test_neighbouring_bad_blocks_are_one(void **state)
{
	struct place place;
	int fd;

	(void)state;
	open_place(&place);
	fd = make_file(&place, "neighbours", 1024 * BLOCK, 1024 * BLOCK);
	/* in one extent, and longer than a line of the kernel's list */
	assert_int_equal(sector_of(&place, fd, 299), sector_of(&place, fd, 100) + 199 * 8);
	make_bad(&place, sector_of(&place, fd, 100) + 7, 199 * 8 - 6);
	assert_bad(fd, 1, (const size_t[][2]){{100 * BLOCK, 200 * BLOCK}});
	close(fd);
	close(place.folder);
}

static void test_blocks_behind_the_end_and_holes_are_not_of_the_file(void **state)
{
	struct place place;
	int odd, sparse;

	(void)state;
	open_place(&place);
	odd = make_file(&place, "odd", 8 * BLOCK, 5000);
	make_bad(&place, sector_of(&place, odd, 1), 1);
	assert_bad(odd, 1, (const size_t[][2]){{BLOCK, BLOCK}});
	sparse = make_file(&place, "sparse", 0, 8 * BLOCK);
	assert_bad(sparse, 0, NULL);
	close(odd);

	/* blocks behind the end of the file are allocated and bad, too */
	odd = make_file(&place, "behind", 8 * BLOCK, 5000);
	make_bad(&place, sector_of(&place, odd, 0), 64);
	assert_bad(odd, 1, (const size_t[][2]){{0, 2 * BLOCK}});
	close(odd);
	close(sparse);
	close(place.folder);
}

static void test_a_fragmented_file_is_translated_extent_by_extent(void **state)
{
	enum { BLOCKS = 200 };
	size_t expected[BLOCKS][2];
	struct place place;
	uint64_t previous = 0;
	int file, other, pieces = 0;

	(void)state;
	open_place(&place);
	file = make_file(&place, "fragmented", 0, 0);
	other = make_file(&place, "between", 0, 0);
	/* written from the end to the beginning, so that the order on the disk differs */
	for (off_t i = BLOCKS - 1; i >= 0; i--) {
		write_zeroes(file, 2 * i * BLOCK, BLOCK);
		write_zeroes(other, 2 * i * BLOCK, BLOCK);
	}
	assert_int_equal(fsync(file), 0);
	for (int i = 0; i < BLOCKS; i++) {
		uint64_t sector = sector_of(&place, file, 2 * i);

		pieces += sector != previous + 8;
		previous = sector;
		make_bad(&place, sector + 1, 1);
		expected[i][0] = 2 * (size_t)i * BLOCK;
		expected[i][1] = BLOCK;
	}
	assert_true(pieces > 64);
	assert_bad(file, BLOCKS, expected);
	assert_bad(other, 0, NULL);
	close(file);
	close(other);
	close(place.folder);
}

static void test_below_a_device_mapper_the_disk_is_known_but_not_the_place(void **state)
{
	const char *path = variable("PMEM2FS_TEST_STACKED");
	struct pmem2_badblock_context *context = NULL;
	struct pmem2fs_device device;
	struct pmem2_source *src;
	struct stat st;
	size_t count;
	char file[PATH_MAX];
	int fd;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(pmem2fs_device_get(st.st_dev, true, &device), 0);
	assert_int_equal(strncmp(device.blockdev, "pmem", 4), 0);
	assert_int_equal(device.badblocks_start, PMEM2FS_UNKNOWN);
	assert_int_equal(pmem2fs_device_badblock_count(&device, &count), 0);
	snprintf(file, sizeof(file), "%s/file", path);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pmem2_source_from_fd(&src, fd), 0);
	assert_int_equal(pmem2_badblock_context_new(&context, src), PMEM2_E_CANNOT_READ_BOUNDS);
	assert_null(context);
	assert_int_equal(pmem2_source_delete(&src), 0);
	close(fd);
}

/* --- device DAX --- */

#define BAD_MAX 16

static int open_node(void)
{
	int fd = open(variable("PMEM2FS_TEST_DEVDAX"), O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* The bad ranges of PMEM2FS_TEST_DEVDAX_BAD, as pairs of offset and length. */
static size_t known_bad(size_t ranges[BAD_MAX][2])
{
	const char *text = variable("PMEM2FS_TEST_DEVDAX_BAD");
	size_t count = 0;
	int used;

	while (count < BAD_MAX &&
	       sscanf(text, "%zu %zu%n", &ranges[count][0], &ranges[count][1], &used) == 2) {
		text += used;
		count++;
	}
	return count;
}

static void test_bad_ranges_of_a_node_are_relative_to_it(void **state)
{
	int fd = open_node();
	size_t expected[BAD_MAX][2], count = known_bad(expected), counted;
	struct pmem2fs_device device;
	struct stat st;

	(void)state;
	assert_bad(fd, count, expected);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(pmem2fs_device_get(st.st_rdev, false, &device), 0);
	assert_int_equal(pmem2fs_device_badblock_count(&device, &counted), 0);
	assert_int_equal(counted, count);
	close(fd);
}

/* Fills `buffer` so that bytes from the wrong place are noticed. */
static void fill(unsigned char *buffer, size_t size, size_t offset)
{
	for (size_t i = 0; i < size; i++)
		buffer[i] = (unsigned char)((offset + i) % 251 + 1);
}

/* Writes `size` bytes at `offset`, reads them back, and compares them with a mapping. */
static void assert_transferred(struct pmem2_source *src, int fd, size_t offset, size_t size)
{
	size_t alignment, begin, length;
	unsigned char *wanted = malloc(size), *found = calloc(1, size), *mapped;

	fill(wanted, size, offset);
	assert_int_equal(pmem2_source_pwrite_mcsafe(src, wanted, size, offset), 0);
	assert_int_equal(pmem2_source_pread_mcsafe(src, found, size, offset), 0);
	assert_memory_equal(found, wanted, size);
	assert_int_equal(pmem2_source_alignment(src, &alignment), 0);
	begin = offset / alignment * alignment;
	length = (offset + size - begin + alignment - 1) / alignment * alignment;
	mapped = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)begin);
	assert_true(mapped != MAP_FAILED);
	assert_memory_equal(mapped + (offset - begin), wanted, size);
	munmap(mapped, length);
	free(wanted);
	free(found);
}

static void test_a_node_is_read_and_written_around_its_bad_blocks(void **state)
{
	int fd = open_node();
	size_t bad[BAD_MAX][2], count = known_bad(bad), size, whole;
	struct pmem2_source *src;
	char byte = 'x';

	(void)state;
	assert_int_equal(pmem2_source_from_fd(&src, fd), 0);
	assert_int_equal(pmem2_source_size(src, &size), 0);
	assert_transferred(src, fd, size - 1, 1);
	assert_transferred(src, fd, (4 << 20) - 77, 3000);
	/* up to the first bad block */
	whole = count ? bad[0][0] : size;
	assert_transferred(src, fd, 0, whole);

	for (size_t i = 0; i < count; i++) {
		assert_transferred(src, fd, bad[i][0] - 100, 100);
		assert_transferred(src, fd, bad[i][0] + bad[i][1], 100);
		assert_int_equal(pmem2_source_pread_mcsafe(src, &byte, 1, bad[i][0]),
				 PMEM2_E_IO_FAIL);
		assert_int_equal(
			pmem2_source_pread_mcsafe(src, &byte, 1, bad[i][0] + bad[i][1] - 1),
			PMEM2_E_IO_FAIL);
		assert_int_equal(pmem2_source_pwrite_mcsafe(src, &byte, 1, bad[i][0]),
				 PMEM2_E_IO_FAIL);
		assert_int_equal(byte, 'x');
	}
	assert_int_equal(pmem2_source_pread_mcsafe(src, &byte, 1, size),
			 PMEM2_E_LENGTH_OUT_OF_RANGE);
	assert_int_equal(pmem2_source_pread_mcsafe(src, &byte, 1, size + 1),
			 PMEM2_E_LENGTH_OUT_OF_RANGE);
	assert_int_equal(pmem2_source_pread_mcsafe(src, &byte, SIZE_MAX, 2),
			 PMEM2_E_LENGTH_OUT_OF_RANGE);
	assert_int_equal(pmem2_source_pread_mcsafe(src, NULL, 0, size), 0);
	assert_int_equal(pmem2_source_delete(&src), 0);
	close(fd);
}

static void test_a_node_open_for_reading_is_not_written(void **state)
{
	int fd = open(variable("PMEM2FS_TEST_DEVDAX"), O_RDONLY | O_CLOEXEC);
	struct pmem2_source *src;
	char byte = 'x';

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pmem2_source_from_fd(&src, fd), 0);
	assert_int_equal(pmem2_source_pread_mcsafe(src, &byte, 1, 0), 0);
	assert_int_equal(pmem2_source_pwrite_mcsafe(src, &byte, 1, 0), PMEM2_E_NO_ACCESS);
	assert_int_equal(pmem2_source_delete(&src), 0);
	close(fd);
}

/* QEMU's firmware cannot repair. */
static void test_a_node_that_cannot_be_repaired_says_so(void **state)
{
	int fd = open_node();
	size_t bad[BAD_MAX][2], count = known_bad(bad);
	struct pmem2_badblock_context *context;
	struct pmem2_source *src;

	(void)state;
	assert_int_equal(pmem2_source_from_fd(&src, fd), 0);
	assert_int_equal(pmem2_badblock_context_new(&context, src), 0);
	for (size_t i = 0; i < count; i++) {
		struct pmem2_badblock bb = {bad[i][0], bad[i][1]};

		assert_int_equal(pmem2_badblock_clear(context, &bb), PMEM2_E_NOSUPP);
		assert_non_null(strstr(pmem2_errormsg(), "firmware"));
		bb.offset += 512;
		assert_int_equal(pmem2_badblock_clear(context, &bb), PMEM2_E_NO_BAD_BLOCK_FOUND);
	}
	assert_bad(fd, count, (const size_t(*)[2])bad);
	pmem2_badblock_context_delete(&context);
	assert_int_equal(pmem2_source_delete(&src), 0);
	close(fd);
}

/*
 * The node is taken away while it is read: from some moment on every call is an error, and there is
 * no signal.
 */
static void test_a_node_that_goes_is_an_error(void **state)
{
	const char *command = variable("PMEM2FS_TEST_DISABLE");
	size_t size, length = 0;
	int node, error, status, fd = open_node();
	struct pmem2_badblock_context *context;
	struct pmem2_source *src;
	uint64_t usc;
	char *buffer;
	pid_t child;

	(void)state;
	assert_int_equal(pmem2_source_from_fd(&src, fd), 0);
	assert_int_equal(pmem2_source_size(src, &size), 0);
	buffer = malloc(size);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		_exit(system(command) ? 1 : 0);
	do
		error = pmem2_source_pread_mcsafe(src, buffer, size, 0);
	while (!error);
	printf("%s\n", pmem2_errormsg());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(error == PMEM2_E_IO_FAIL || error == -ENXIO || error == -ENODEV);
	assert_true(pmem2_source_pread_mcsafe(src, buffer, 1, 0) < 0);
	assert_true(pmem2_source_pwrite_mcsafe(src, buffer, 1, 0) < 0);
	assert_int_equal(pmem2_badblock_context_new(&context, src), PMEM2_E_DAX_REGION_NOT_FOUND);
	assert_int_equal(pmem2_source_device_id(src, NULL, &length), PMEM2_E_NOSUPP);
	assert_int_equal(pmem2_source_device_usc(src, &usc), PMEM2_E_NOSUPP);
	assert_int_equal(pmem2_source_numa_node(src, &node), PMEM2_E_DAX_REGION_NOT_FOUND);
	free(buffer);
	assert_int_equal(pmem2_source_delete(&src), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_bad_sector_is_a_bad_block_of_its_file_only),
		cmocka_unit_test(test_neighbouring_bad_blocks_are_one),
		cmocka_unit_test(test_blocks_behind_the_end_and_holes_are_not_of_the_file),
		cmocka_unit_test(test_a_fragmented_file_is_translated_extent_by_extent),
		cmocka_unit_test(test_below_a_device_mapper_the_disk_is_known_but_not_the_place),
		cmocka_unit_test(test_bad_ranges_of_a_node_are_relative_to_it),
		cmocka_unit_test(test_a_node_is_read_and_written_around_its_bad_blocks),
		cmocka_unit_test(test_a_node_open_for_reading_is_not_written),
		cmocka_unit_test(test_a_node_that_cannot_be_repaired_says_so),
		cmocka_unit_test(test_a_node_that_goes_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
