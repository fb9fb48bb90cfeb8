/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text.h - comparing texts that may be missing
 *
 * Owns no data; calls libc only.
 */
#ifndef PMEM2FS_BASE_TEXT_H
#define PMEM2FS_BASE_TEXT_H

#include <stdbool.h>
#include <string.h>

/* Whether both are NULL or both are the same text. */
static inline bool text_same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

#endif
