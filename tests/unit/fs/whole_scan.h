/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * whole_scan.h - all parts of a scan, with the reports of all in one list
 */
#ifndef PMEM2FS_TEST_WHOLE_SCAN_H
#define PMEM2FS_TEST_WHOLE_SCAN_H

#include "scan/scanner.h"

static inline void scan_whole(struct scanner *scanner, struct scan *scan)
{
	struct scan_report *reports = NULL, **end = &reports;

	do {
		scanner_scan(scanner, scan);
		*end = scan->report;
		while (*end)
			end = &(*end)->next;
	} while (scan->more);
	scan->report = reports;
}

#endif
