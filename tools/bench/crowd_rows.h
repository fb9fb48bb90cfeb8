/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crowd_rows.h - what people do about a crowd, against what they would do without pmem2fs
 */
#ifndef PMEM2FS_BENCH_CROWD_ROWS_H
#define PMEM2FS_BENCH_CROWD_ROWS_H

#include "bench/fixture.h"
#include "bench/library.h"
#include "bench/report.h"

/* Measures each crowd of the options. Returns 0 or a negative errno after a message. */
int crowd_rows_measure(const struct fixture *fixture, const struct library *ours,
		       struct report *report);

#endif
