/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * copy.h - persist, memcpy, memmove and memset, against the other library
 */
#ifndef PMEM2FS_BENCH_COPY_H
#define PMEM2FS_BENCH_COPY_H

#include "bench/copy_results.h"
#include "bench/library.h"
#include "bench/report.h"

/* Returns 0 or a negative errno after a message. */
int copy_measure(const struct library *ours, const struct library *other, struct report *report);

#endif
