/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shared_text.h - a text that many objects have, and that is in memory once
 *
 * It is used as any constant text, but obtained and freed by these functions alone. It is freed
 * with the last reference. References may be taken and dropped in any thread.
 */
#ifndef PMEM2FS_BASE_SHARED_TEXT_H
#define PMEM2FS_BASE_SHARED_TEXT_H

/* A copy of any text, with one reference. NULL when memory runs out. */
const char *shared_text_new(const char *text);

/* Both accept NULL. Returns its argument, which must come from shared_text_new. */
const char *shared_text_get(const char *text);
void shared_text_put(const char *text);

#endif
