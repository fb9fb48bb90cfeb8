/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.h - the text of the last error, per thread
 */
#ifndef PMEM2FS_LIB_BASE_ERROR_H
#define PMEM2FS_LIB_BASE_ERROR_H

/*
 * Stores the text that pmem2_errormsg returns in this thread, and returns `error`. If that is a
 * negated errno, sets errno too.
 */
int error_set(int error, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));

#endif
