/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_errors.c - the errno that the shell shows for each error of the library
 */
#include "base/errors.h"
#include "libpmem2fs.h"
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	int error, number;
} table[] = {
	{0, 0},
	{-EPERM, EPERM},
	{-ENOENT, ENOENT},
	{-EAGAIN, EAGAIN},
	{-ENOMEM, ENOMEM},
	{-EACCES, EACCES},
	{-EBUSY, EBUSY},
	{-ENOSPC, ENOSPC},
	{-ETIMEDOUT, ETIMEDOUT},
	{PMEM2_E_NO_ACCESS, EACCES},
	{PMEM2_E_GRANULARITY_NOT_SUPPORTED, EOPNOTSUPP},
	{PMEM2_E_MAPPING_EXISTS, EEXIST},
	{PMEM2_E_MAPPING_NOT_FOUND, ENOENT},
	{PMEM2_E_NOSUPP, ENOTSUP},
	{PMEM2_E_UNKNOWN, EINVAL},
	{PMEM2_E_FILE_HANDLE_NOT_SET, EINVAL},
	{PMEM2_E_INVALID_FILE_HANDLE, EINVAL},
	{PMEM2_E_INVALID_FILE_TYPE, EINVAL},
	{PMEM2_E_MAP_RANGE, EINVAL},
	{PMEM2_E_GRANULARITY_NOT_SET, EINVAL},
	{PMEM2_E_OFFSET_OUT_OF_RANGE, EINVAL},
	{PMEM2_E_OFFSET_UNALIGNED, EINVAL},
	{PMEM2_E_INVALID_ALIGNMENT_FORMAT, EINVAL},
	{PMEM2_E_INVALID_ALIGNMENT_VALUE, EINVAL},
	{PMEM2_E_INVALID_SIZE_FORMAT, EINVAL},
	{PMEM2_E_LENGTH_UNALIGNED, EINVAL},
	{PMEM2_E_BUFFER_TOO_SMALL, EINVAL},
	{PMEM2_E_SOURCE_EMPTY, EINVAL},
	{PMEM2_E_INVALID_SHARING_VALUE, EINVAL},
	{PMEM2_E_SRC_DEVDAX_PRIVATE, EINVAL},
	{PMEM2_E_INVALID_ADDRESS_REQUEST_TYPE, EINVAL},
	{PMEM2_E_ADDRESS_UNALIGNED, EINVAL},
	{PMEM2_E_ADDRESS_NULL, EINVAL},
	{PMEM2_E_DEEP_FLUSH_RANGE, EINVAL},
	{PMEM2_E_INVALID_REGION_FORMAT, EINVAL},
	{PMEM2_E_DAX_REGION_NOT_FOUND, EINVAL},
	{PMEM2_E_INVALID_DEV_FORMAT, EINVAL},
	{PMEM2_E_CANNOT_READ_BOUNDS, EINVAL},
	{PMEM2_E_NO_BAD_BLOCK_FOUND, EINVAL},
	{PMEM2_E_LENGTH_OUT_OF_RANGE, EINVAL},
	{PMEM2_E_INVALID_PROT_FLAG, EINVAL},
	{PMEM2_E_VM_RESERVATION_NOT_EMPTY, EINVAL},
	{PMEM2_E_MAP_EXISTS, EINVAL},
	{PMEM2_E_FILE_DESCRIPTOR_NOT_SET, EINVAL},
	{PMEM2_E_SOURCE_TYPE_NOT_SUPPORTED, EINVAL},
	{PMEM2_E_IO_FAIL, EINVAL},
	{PMEM2_E_IO_FAIL - 1, EINVAL}, /* no code of the library */
	{EIO, EINVAL},                 /* errors are negative */
	{INT_MIN, EINVAL},
};

static void follows_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		assert_int_equal(errors_to_errno(table[i].error), table[i].number);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
