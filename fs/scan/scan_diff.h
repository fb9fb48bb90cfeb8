/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan_diff.h - compares what a process has with what was reported of it
 */
#ifndef PMEM2FS_SCAN_SCAN_DIFF_H
#define PMEM2FS_SCAN_SCAN_DIFF_H

#include "scan/scanned_process.h"

struct published_range;
struct published_ranges;
struct observed_ranges;

struct scan_diff {
	struct scanned_process *process; /* borrowed, like the next three */
	struct scan_context *context;
	struct published_ranges *published; /* of the tables, one after the other */
	const struct observed_ranges *observed;
	/* What is to be remembered as reported once the report is made. */
	struct reported_mappings tables_now[SCANNED_TABLES_MAX], observed_now;
	/* The report. */
	size_t count, room;
	size_t of_tables; /* how many events are of published mappings */
	size_t outdated;  /* how many events are of mappings that were known before */
	struct scan_event *list;
};

/*
 * Fills in what is to be remembered and the report. Takes the extents out of the published ranges.
 * Returns 0 or -ENOMEM; the process is unchanged in both cases.
 */
int scan_diff_compute(struct scan_diff *diff);
void scan_diff_clear(struct scan_diff *diff);

/* Whether a published range is as it was reported. */
bool scan_diff_is_same(const struct reported_mapping *old, const struct published_range *range);

#endif
