/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * announcement.h - whether the table is still to be announced to the daemon, and when
 *
 * The announcement itself is made by publish/announce.c, above the registry.
 */
#ifndef PMEM2FS_LIB_REGISTRY_ANNOUNCEMENT_H
#define PMEM2FS_LIB_REGISTRY_ANNOUNCEMENT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * With the library's lock held: there is a new table, which is to be announced; and there is no
 * table, or nobody has to be notified of it.
 */
void announcement_request(void);
void announcement_withdraw(void);

bool announcement_is_wanted(void);

/* Whether enough time has passed since the last attempt. `now`: nanoseconds of CLOCK_REALTIME. */
bool announcement_is_due(uint64_t now);

/* True for one caller per table: no attempt has been made yet, and this caller makes the first. */
bool announcement_take_first(void);

/* An attempt is being made; the next one is due in a second. */
void announcement_tried(uint64_t now);

#endif
