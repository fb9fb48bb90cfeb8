/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * child.h - checks in a child of a test, where cmocka's assertions do not work
 */
#ifndef PMEM2FS_TEST_CHILD_H
#define PMEM2FS_TEST_CHILD_H

#include "libpmem2fs.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s (errno %d, %s)\n", __FILE__, __LINE__,          \
				#condition, errno, pmem2_errormsg());                              \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

#endif
