/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * message.h - the messages of the bench, on stderr
 */
#ifndef PMEM2FS_BENCH_MESSAGE_H
#define PMEM2FS_BENCH_MESSAGE_H

/* One line: "bench: TEXT". %m works. */
void message_error(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

#endif
