/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crowd.h - a listing of the mappings of many processes, against a folder of tmpfs
 */
#ifndef PMEM2FS_BENCH_CROWD_H
#define PMEM2FS_BENCH_CROWD_H

#include "bench/fixture.h"
#include "bench/library.h"
#include "bench/report.h"

/* Returns 0 or a negative errno after a message. */
int crowd_measure(const struct fixture *fixture, const struct library *ours, struct report *report);

#endif
