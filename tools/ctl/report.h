/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report.h - the messages of pmem2ctl, on stderr
 */
#ifndef PMEM2FS_CTL_REPORT_H
#define PMEM2FS_CTL_REPORT_H

/* One line on stderr: "pmem2ctl: OBJECT: TEXT", safe for a terminal. OBJECT may be NULL. */
void report(const char *object, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
