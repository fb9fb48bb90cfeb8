/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * passed_tables.h - the tables that processes have passed, as long as the loop has them
 *
 * Without the rights to open what the areas of processes show, a scanner knows tables only because
 * they were passed. So copies are kept for the scanner that replaces it, with two descriptors each.
 * Used by the request loop alone.
 */
#ifndef PMEM2FS_SCAN_PASSED_TABLES_H
#define PMEM2FS_SCAN_PASSED_TABLES_H

#include "base/share.h"
#include "scan/scanner.h"

struct receivers;

#define PASSED_EACH 4 /* of one process; beyond that they are dropped */

/* How many tables may be kept: each of 72 users is sure of those of one process. */
extern const struct share passed_tables_share;

/* Has a table closed, and frees it. */
void passed_table_drop(struct receivers *receivers, struct passed_table *passed);
void passed_tables_drop(struct receivers *receivers, struct passed_table **list);

/* Moves all tables of a list to the front of another one. Returns how many. */
unsigned passed_tables_move(struct passed_table **from, struct passed_table **to);

/*
 * Adds a copy of each table that is to be looked at to `copies`, with descriptors of its own, and
 * remembers it in the table. Left out are tables without a descriptor, and tables that cannot be
 * copied.
 */
void passed_tables_copy(struct passed_table *tables, struct passed_table **copies);

/*
 * After the scan of the tables `seen`: keeps the copies that the next scanner needs, and drops all
 * other copies and what is kept of processes that have ended.
 */
void passed_tables_keep(struct receivers *receivers, const struct passed_table *seen,
			struct passed_table **copies, struct passed_table **kept);

#endif
