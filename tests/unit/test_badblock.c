/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_badblock.c - bad blocks of sources that cannot have any; see tests/vm/test_device.c
 */
#include "libpmem2.h"

#include <setjmp.h>
#include <stdarg.h>
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
	assert_int_equal(pmem2_badblock_context_new(&context, src), PMEM2_E_INVALID_FILE_HANDLE);
	assert_null(context);
	assert_int_equal(pmem2_source_delete(&src), 0);
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
		cmocka_unit_test(test_deleting_nothing_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
