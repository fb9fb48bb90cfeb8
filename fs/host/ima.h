/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ima.h - the kernel's integrity measurement, which reads whole files when they are opened
 */
#ifndef PMEM2FS_HOST_IMA_H
#define PMEM2FS_HOST_IMA_H

#include <stdbool.h>

/* The kernel's command line, and how many files it has measured since it started. */
#define IMA_COMMAND_LINE "/proc/cmdline"
#define IMA_COUNT        "/sys/kernel/security/ima/runtime_measurements_count"

/*
 * Whether a policy is in force that may have files read when they are opened, as those two files
 * tell: a word of the command line sets one, or a file was measured. The first measurement is that
 * of the boot, which needs no policy.
 */
bool ima_reads_files(const char *command_line, const char *count);

#endif
