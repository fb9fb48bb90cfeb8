/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_badblock.c - bad blocks of sources that cannot have any; see tests/vm/test_device.c
 */
#include "libpmem2.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_none(int fd)
{
	struct pmem2_badblock_context *context = NULL;
	struct pmem2_badblock bb = {7, 8};
	struct pmem2_source *src;

	assert_int_equal(pmem2_source_from_fd(&src, fd), 0);
	assert_int_equal(pmem2_badblock_context_new(&context, src), 0);
	assert_non_null(context);
	/* the list is finished: it needs neither the source nor its descriptor */
	assert_int_equal(pmem2_source_delete(&src), 0);
	close(fd);
	assert_int_equal(pmem2_badblock_next(context, &bb), PMEM2_E_NO_BAD_BLOCK_FOUND);
	assert_int_equal(pmem2_badblock_next(context, &bb), PMEM2_E_NO_BAD_BLOCK_FOUND);
	assert_int_equal(bb.offset, 7);
	assert_int_equal(bb.length, 8);
	pmem2_badblock_context_delete(&context);
	assert_null(context);
}

static int temporary_file(void)
{
	char path[] = "/tmp/pmem2fs-badblock-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(ftruncate(fd, 5000), 0);
	return fd;
}

static void test_a_file_that_is_not_on_pmem_has_none(void **state)
{
	(void)state;
	assert_none(temporary_file());
}

static void test_a_memfd_has_none(void **state)
{
	int fd = memfd_create("badblock", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_none(fd);
}

static void test_anonymous_memory_is_not_supported(void **state)
{
	struct pmem2_badblock_context *untouched = (void *)&state, *context = untouched;
	struct pmem2_source *src;

	(void)state;
	assert_int_equal(pmem2_source_from_anon(&src, 4096), 0);
	assert_int_equal(pmem2_badblock_context_new(&context, src), PMEM2_E_NOSUPP);
	assert_ptr_equal(context, untouched);
	assert_string_not_equal(pmem2_errormsg(), "");
	assert_int_equal(pmem2_source_delete(&src), 0);
}

static void test_a_closed_descriptor_is_an_error(void **state)
{
	struct pmem2_badblock_context *context = (void *)&state;
	struct pmem2_source *src;
	int fd = temporary_file();

	(void)state;
	assert_int_equal(pmem2_source_from_fd(&src, fd), 0);
	close(fd);
	assert_int_equal(pmem2_badblock_context_new(&context, src), -EBADF);
	assert_null(context);
	assert_int_equal(pmem2_source_delete(&src), 0);
}

/* Clearing a good range would destroy its data. */
static void test_a_good_range_is_not_cleared(void **state)
{
	static const struct pmem2_badblock good[] = {
		{0, 4096}, {4096, 904}, {0, 1}, {1 << 20, 512}};
	struct pmem2_badblock_context *context;
	struct pmem2_source *src;
	char data[5000], now[5001];
	int fd = temporary_file();

	(void)state;
	memset(data, 'd', sizeof(data));
	assert_int_equal(pwrite(fd, data, sizeof(data), 0), sizeof(data));
	assert_int_equal(pmem2_source_from_fd(&src, fd), 0);
	assert_int_equal(pmem2_badblock_context_new(&context, src), 0);
	assert_int_equal(pmem2_source_delete(&src), 0);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(pmem2_badblock_clear(context, &good[i]),
				 PMEM2_E_NO_BAD_BLOCK_FOUND);
	assert_int_equal(pread(fd, now, sizeof(now), 0), sizeof(data));
	assert_memory_equal(now, data, sizeof(data));
	pmem2_badblock_context_delete(&context);
	close(fd);
}

static void test_ranges_that_cannot_be(void **state)
{
	static const struct {
		struct pmem2_badblock bb;
		int error;
	} cases[] = {
		{{(size_t)INT64_MAX + 1, 1}, PMEM2_E_OFFSET_OUT_OF_RANGE},
		{{SIZE_MAX, SIZE_MAX}, PMEM2_E_OFFSET_OUT_OF_RANGE},
		{{0, (size_t)INT64_MAX + 1}, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{{INT64_MAX, INT64_MAX}, -EFBIG},
		{{INT64_MAX, 0}, -EINVAL},
		{{4096, 4096}, PMEM2_E_NO_BAD_BLOCK_FOUND},
		{{0, 0}, -EINVAL},
	};
	struct pmem2_badblock_context *context;
	struct pmem2_source *src;
	int fd = temporary_file();

	(void)state;
	assert_int_equal(pmem2_source_from_fd(&src, fd), 0);
	assert_int_equal(pmem2_badblock_context_new(&context, src), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(pmem2_badblock_clear(context, &cases[i].bb), cases[i].error);
	pmem2_badblock_context_delete(&context);
	assert_int_equal(pmem2_source_delete(&src), 0);
	close(fd);
}

static void test_clearing_needs_the_descriptor(void **state)
{
	struct pmem2_badblock_context *context;
	struct pmem2_badblock bb = {0, 4096};
	struct pmem2_source *src;
	int fd = temporary_file();

	(void)state;
	assert_int_equal(pmem2_source_from_fd(&src, fd), 0);
	assert_int_equal(pmem2_badblock_context_new(&context, src), 0);
	close(fd);
	assert_int_equal(pmem2_badblock_clear(context, &bb), -EBADF);
	bb.length = 0;
	assert_int_equal(pmem2_badblock_clear(context, &bb), -EBADF);
	bb.length = 4096;
	/* the descriptor number is another file's now */
	assert_int_equal(memfd_create("other", MFD_CLOEXEC), fd);
	assert_int_equal(pmem2_badblock_clear(context, &bb), PMEM2_E_INVALID_FILE_HANDLE);
	pmem2_badblock_context_delete(&context);
	assert_int_equal(pmem2_source_delete(&src), 0);
	close(fd);
}

static void test_null_is_an_error(void **state)
{
	struct pmem2_badblock_context *context;
	struct pmem2_badblock bb = {0, 4096};
	struct pmem2_source *src;
	int fd = temporary_file();

	(void)state;
	assert_int_equal(pmem2_source_from_fd(&src, fd), 0);
	assert_int_equal(pmem2_badblock_context_new(NULL, src), -EINVAL);
	assert_int_equal(pmem2_badblock_context_new(&context, NULL), -EINVAL);
	assert_int_equal(pmem2_badblock_context_new(&context, src), 0);
	assert_int_equal(pmem2_badblock_next(NULL, &bb), -EINVAL);
	assert_int_equal(pmem2_badblock_next(context, NULL), PMEM2_E_NO_BAD_BLOCK_FOUND);
	assert_int_equal(pmem2_badblock_clear(NULL, &bb), -EINVAL);
	assert_int_equal(pmem2_badblock_clear(context, NULL), -EINVAL);
	pmem2_badblock_context_delete(&context);
	pmem2_badblock_context_delete(NULL);
	assert_int_equal(pmem2_source_delete(&src), 0);
	close(fd);
}

static void test_deleting_nothing_is_fine(void **state)
{
	struct pmem2_badblock_context *context = NULL;

	(void)state;
	pmem2_badblock_context_delete(&context);
	assert_null(context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_that_is_not_on_pmem_has_none),
		cmocka_unit_test(test_a_memfd_has_none),
		cmocka_unit_test(test_anonymous_memory_is_not_supported),
		cmocka_unit_test(test_a_closed_descriptor_is_an_error),
		cmocka_unit_test(test_a_good_range_is_not_cleared),
		cmocka_unit_test(test_ranges_that_cannot_be),
		cmocka_unit_test(test_clearing_needs_the_descriptor),
		cmocka_unit_test(test_null_is_an_error),
		cmocka_unit_test(test_deleting_nothing_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
