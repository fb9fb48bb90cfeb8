/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * holders.h - times pmem2ctl holders against fuser and lsof
 */
#ifndef PMEM2FS_BENCH_HOLDERS_H
#define PMEM2FS_BENCH_HOLDERS_H

#include "bench/fixture.h"
#include "bench/report.h"

/* `pmem2ctl` is the path of pmem2ctl. Returns 0 or a negative errno after a message. */
int holders_measure(const struct fixture *fixture, const char *pmem2ctl, struct report *report);

#endif
