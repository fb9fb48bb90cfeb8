/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * program.h - other programs, run as people run them
 */
#ifndef PMEM2FS_BENCH_PROGRAM_H
#define PMEM2FS_BENCH_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#define PROGRAM_SAID_MAX 4096

/*
 * Runs a program whose output goes nowhere. `said` gets what it says on stderr. Returns 0 when it
 * ends with the expected status, else a negative errno after a message.
 */
int program_run(const char *const *arguments, int expected, char said[PROGRAM_SAID_MAX]);

/*
 * Runs a program that is expected to end with this status, and counts the lines of its output that
 * begin with `prefix`. Returns 0 or a negative errno after a message.
 */
int program_count_lines(const char *const *arguments, int expected, const char *prefix,
			size_t *count);

/* Whether there is no program of this name. It is called with -v. */
bool program_is_missing(const char *name);

#endif
