/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan_rights.h - what the rights and the name spaces of the daemon let a scan see
 *
 * Owns nothing; may be called in any thread.
 */
#ifndef PMEM2FS_SCAN_SCAN_RIGHTS_H
#define PMEM2FS_SCAN_SCAN_RIGHTS_H

#include <stdbool.h>

/* Whether the tables that are found in the areas of processes can be opened. */
bool scan_rights_find_tables(void);

/* Whether all processes of the host can be seen. */
bool scan_rights_see_all(void);

#endif
