/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_badblock_clear.c - bad blocks of files on real pmem, cleared; for the virtual machine
 *
 *   PMEM2FS_TEST_FSDAX        folder on a file system on a pmem disk or a partition of one
 *
 * Leaves the file system full, with bad blocks that it would give to the next file: nothing else
 * can be tested on it. For that reason the files of all tests are made before the first one.
 */
#include "helper.h"
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct place clear_place;
static int replaced, mixed, odd, filled;

static int make_full(const char *name, off_t size)
{
	static char data[16 * BLOCK];
	int fd = make_file(&clear_place, name, 16 * BLOCK, size);

	memset(data, 'd', sizeof(data));
	assert_int_equal(pwrite(fd, data, (size_t)size, 0), size);
	assert_int_equal(fsync(fd), 0);
	return fd;
}

static int make_files_to_clear(void **state)
{
	(void)state;
	open_place(&clear_place);
	replaced = make_full("replaced", 16 * BLOCK);
	mixed = make_full("mixed", 16 * BLOCK);
	odd = make_full("odd_to_clear", 5000);
	filled = make_full("filled", 16 * BLOCK);
	return 0;
}

static void open_context(int fd, struct pmem2_source **src, struct pmem2_badblock_context **context)
{
	assert_int_equal(pmem2_source_from_fd(src, fd), 0);
	assert_int_equal(pmem2_badblock_context_new(context, *src), 0);
}

static void close_context(struct pmem2_source **src, struct pmem2_badblock_context **context)
{
	pmem2_badblock_context_delete(context);
	assert_int_equal(pmem2_source_delete(src), 0);
}

/* Asserts that blocks of the file hold zeroes where `zero` has an 'z', and 'd' elsewhere. */
static void assert_blocks(int fd, const char *zero)
{
	char block[BLOCK];

	for (off_t i = 0; zero[i]; i++) {
		assert_int_equal(pread(fd, block, BLOCK, i * BLOCK), BLOCK);
		for (size_t k = 0; k < BLOCK; k++)
			assert_int_equal(block[k], zero[i] == 'z' ? 0 : 'd');
	}
}

static void test_bad_blocks_of_a_file_are_replaced(void **state)
{
	struct pmem2_badblock_context *context;
	struct pmem2_source *src;
	struct pmem2_badblock bb, first;
	char data[3 * BLOCK];
	struct stat st;

	(void)state;
	make_bad(&clear_place, sector_of(&clear_place, replaced, 3) + 2, 1);
	make_bad(&clear_place, sector_of(&clear_place, replaced, 8), 16);
	open_context(replaced, &src, &context);
	assert_int_equal(pmem2_source_pread_mcsafe(src, data, sizeof(data), 2 * BLOCK),
			 PMEM2_E_IO_FAIL);
	assert_int_equal(pmem2_source_pread_mcsafe(src, data, BLOCK, 4 * BLOCK), 0);

	assert_int_equal(pmem2_badblock_next(context, &first), 0);
	assert_int_equal(first.offset, 3 * BLOCK);
	assert_int_equal(pmem2_badblock_clear(context, &first), 0);
	assert_bad(replaced, 1, (const size_t[][2]){{8 * BLOCK, 2 * BLOCK}});
	assert_int_equal(pmem2_badblock_next(context, &bb), 0);
	/* a part of the bad range */
	bb.length = BLOCK;
	assert_int_equal(pmem2_badblock_clear(context, &bb), 0);
	bb.offset += BLOCK;
	assert_int_equal(pmem2_badblock_clear(context, &bb), 0);
	assert_bad(replaced, 0, NULL);

	assert_int_equal(pmem2_source_pread_mcsafe(src, data, sizeof(data), 2 * BLOCK), 0);
	assert_blocks(replaced, "dddzddddzzdddddd");
	assert_int_equal(fstat(replaced, &st), 0);
	assert_int_equal(st.st_size, 16 * BLOCK);
	assert_true(st.st_blocks >= 16 * BLOCK / 512);

	/* clearing again does not destroy what was written there afterwards */
	memset(data, 'd', BLOCK);
	assert_int_equal(pmem2_source_pwrite_mcsafe(src, data, BLOCK, first.offset), 0);
	assert_int_equal(pmem2_badblock_clear(context, &first), PMEM2_E_NO_BAD_BLOCK_FOUND);
	assert_blocks(replaced, "ddddddddzzdddddd");
	close_context(&src, &context);
}

static void test_no_good_block_is_cleared(void **state)
{
	static const struct pmem2_badblock ranges[] = {
		{4 * BLOCK, 2 * BLOCK}, {5 * BLOCK, 2 * BLOCK}, {0, 16 * BLOCK},
		{5 * BLOCK, INT64_MAX}, {6 * BLOCK, BLOCK},     {5 * BLOCK - 1, BLOCK},
	};
	struct pmem2_badblock_context *context;
	struct pmem2_source *src;

	(void)state;
	make_bad(&clear_place, sector_of(&clear_place, mixed, 5), 8);
	open_context(mixed, &src, &context);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		assert_int_equal(pmem2_badblock_clear(context, &ranges[i]),
				 ranges[i].length == INT64_MAX ? -EFBIG
							       : PMEM2_E_NO_BAD_BLOCK_FOUND);
	assert_bad(mixed, 1, (const size_t[][2]){{5 * BLOCK, BLOCK}});
	assert_int_equal(pmem2_badblock_clear(context, &(struct pmem2_badblock){5 * BLOCK, BLOCK}),
			 0);
	assert_blocks(mixed, "dddddzdddddddddd");
	close_context(&src, &context);
}

static void test_clearing_the_last_block_does_not_move_the_end(void **state)
{
	struct pmem2_badblock_context *context;
	struct pmem2_source *src;
	struct pmem2_badblock bb;
	char data[2 * BLOCK];
	struct stat st;

	(void)state;
	make_bad(&clear_place, sector_of(&clear_place, odd, 1), 1);
	open_context(odd, &src, &context);
	assert_int_equal(pmem2_badblock_next(context, &bb), 0);
	assert_int_equal(bb.offset, BLOCK);
	assert_int_equal(pmem2_badblock_clear(context, &bb), 0);
	assert_bad(odd, 0, NULL);
	assert_int_equal(fstat(odd, &st), 0);
	assert_int_equal(st.st_size, 5000);
	assert_blocks(odd, "d");
	assert_int_equal(pread(odd, data, sizeof(data), BLOCK), 5000 - BLOCK);
	for (int i = 0; i < 5000 - BLOCK; i++)
		assert_int_equal(data[i], 0);
	close_context(&src, &context);
}

static void test_clearing_needs_a_file_open_for_writing(void **state)
{
	struct pmem2_badblock_context *context;
	struct pmem2_source *src;
	int fd;

	(void)state;
	make_bad(&clear_place, sector_of(&clear_place, filled, 0), 8);
	fd = openat(clear_place.folder, "filled", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	open_context(fd, &src, &context);
	assert_int_equal(pmem2_badblock_clear(context, &(struct pmem2_badblock){0, BLOCK}), -EBADF);
	close_context(&src, &context);
	close(fd);
	assert_bad(filled, 1, (const size_t[][2]){{0, BLOCK}});
}

/* Without a free block the file gets its bad one back, which cannot be repaired here. */
static void test_a_full_file_system_is_an_honest_error(void **state)
{
	struct pmem2_badblock_context *context;
	struct pmem2_source *src;
	off_t end = 0;
	int error, filler;

	(void)state;
	open_context(filled, &src, &context);
	filler = openat(clear_place.folder, "filler", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(filler >= 0);
	for (off_t step = 1 << 28; step >= BLOCK; step /= 2)
		while (!fallocate(filler, 0, end, step))
			end += step;
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(fsync(filler), 0);

	error = pmem2_badblock_clear(context, &(struct pmem2_badblock){0, BLOCK});
	printf("full: %d, %s\n", error, pmem2_errormsg());
	assert_true(error == PMEM2_E_IO_FAIL || error == -ENOSPC);
	if (error == PMEM2_E_IO_FAIL)
		assert_bad(filled, 1, (const size_t[][2]){{0, BLOCK}});
	close_context(&src, &context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_blocks_of_a_file_are_replaced),
		cmocka_unit_test(test_no_good_block_is_cleared),
		cmocka_unit_test(test_clearing_the_last_block_does_not_move_the_end),
		cmocka_unit_test(test_clearing_needs_a_file_open_for_writing),
		cmocka_unit_test(test_a_full_file_system_is_an_honest_error),
	};

	return cmocka_run_group_tests(tests, make_files_to_clear, NULL);
}
