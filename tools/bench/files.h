/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * files.h - mappings as files, against files on tmpfs
 */
#ifndef PMEM2FS_BENCH_FILES_H
#define PMEM2FS_BENCH_FILES_H

#include "bench/fixture.h"
#include "bench/report.h"

/* Returns 0 or a negative errno after a message. */
int files_measure(const struct fixture *fixture, struct report *report);

#endif
