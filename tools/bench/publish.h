/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publish.h - our library, publishing its mappings to a daemon or not
 */
#ifndef PMEM2FS_BENCH_PUBLISH_H
#define PMEM2FS_BENCH_PUBLISH_H

#include "bench/library.h"
#include "bench/report.h"
#include <sched.h>

/* May use all of `cpus`. Returns 0 or a negative errno after a message. */
int publish_measure(const struct library *ours, const cpu_set_t *cpus, struct report *report);

#endif
