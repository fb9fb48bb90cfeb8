/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crowd_latency.h - how long one mapping of a crowd takes while all of them are listed
 */
#ifndef PMEM2FS_BENCH_CROWD_LATENCY_H
#define PMEM2FS_BENCH_CROWD_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#define CROWD_NAMES 256

/* Names of mappings from all parts of a crowd. */
struct crowd_names {
	char list[CROWD_NAMES][256];
	size_t count;
};

/* `size` is that of the crowd. Returns 0 or a negative errno after a message. */
int crowd_names_read(struct crowd_names *names, const char *folder, size_t size);

/*
 * The 99th percentile of the time that stat + open + read + close of a mapping takes while a
 * command runs; NULL: while none does. Returns 0 or a negative errno after a message.
 */
int crowd_latency(const struct crowd_names *names, const char *folder, const char *const *arguments,
		  uint64_t *ns);

#endif
