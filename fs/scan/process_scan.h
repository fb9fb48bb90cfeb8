/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_scan.h - scans one process: what has changed since it was scanned last
 *
 * Reads the areas of the process and its tables, and brings its record (scanned_process.h) up to
 * date. Used by the thread of the scanner.
 */
#ifndef PMEM2FS_SCAN_PROCESS_SCAN_H
#define PMEM2FS_SCAN_PROCESS_SCAN_H

#include "scan/scan_event.h"
#include "scan/scanned_process.h"

/*
 * *report is what has changed, owned by the caller; NULL: nothing. Errors: -ESRCH (it has ended),
 * -EACCES and -EPERM (it is not for us to see), or others after which nothing has changed: -ENOMEM,
 * -EMFILE, ...
 */
int process_scan(struct scanned_process *process, struct scan_context *context,
		 struct scan_report **report);

#endif
