/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * errors.h - errors of the library as the errno that the shell shows
 */
#ifndef PMEM2FS_ERRORS_H
#define PMEM2FS_ERRORS_H

/* `error` is 0, a negated errno or a PMEM2_E_ code. Returns a positive errno, or 0. */
int errors_to_errno(int error);

#endif
