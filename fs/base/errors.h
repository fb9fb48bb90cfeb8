/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * errors.h - an errno for each error of the library
 *
 * Owns no data. These are what the system calls of users return.
 */
#ifndef PMEM2FS_BASE_ERRORS_H
#define PMEM2FS_BASE_ERRORS_H

/* `error` is 0, a negated errno or a PMEM2_E_ code. Returns a positive errno, or 0. */
int errors_to_errno(int error);

#endif
