/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan_diff.h - what is there of a process, compared with what was told of it
 */
#ifndef PMEM2FS_SCAN_DIFF_H
#define PMEM2FS_SCAN_DIFF_H

#include "scan/scanned_process.h"

struct published_range;
struct published_ranges;
struct observed_range;
struct observed_ranges;

/* What is to be told, and to be remembered when it has been. */
struct scan_diff {
	struct scanned_process *process;
	struct scan_context *sight;
	struct published_ranges *claims; /* what is there: of the tables, one after the other */
	const struct observed_ranges *runs;
	struct reported_mappings tables[SCANNED_TABLES_MAX], observed;
	size_t count, room;
	struct scan_event *list;
};

/* Fills in the rest of a change. What is remembered of claims is taken from them. */
int scan_diff_compute(struct scan_diff *change);
void scan_diff_clear(struct scan_diff *change);

void reported_mappings_clear(struct reported_mappings *entries);

/* Whether nothing is to be told of a claim. */
bool scan_diff_is_same(const struct reported_mapping *old, const struct published_range *claim);

/* What was told of a run, or NULL. */
const struct reported_mapping *scan_diff_find_observed(const struct scanned_process *process,
						       const struct observed_range *run);

#endif
