/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * errors.c - see errors.h
 *
 * The only table of them, which pmem2fs(8) prints. Of other errors the library decides.
 */
#include "base/errors.h"
#include "libpmem2fs.h"
#include <errno.h>
#include <stddef.h>

static const struct {
	int error, number;
} table[] = {
	{PMEM2_E_NO_ACCESS, EACCES},
	{PMEM2_E_GRANULARITY_NOT_SUPPORTED, EOPNOTSUPP},
	{PMEM2_E_MAPPING_EXISTS, EEXIST},
	{PMEM2_E_MAPPING_NOT_FOUND, ENOENT},
};

int errors_to_errno(int error)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (table[i].error == error)
			return table[i].number;
	return pmem2_err_to_errno(error);
}
