/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text.h - text that is safe to print on a terminal
 */
#ifndef PMEM2FS_CTL_TEXT_H
#define PMEM2FS_CTL_TEXT_H

#include <stddef.h>

/*
 * A copy of `text`, for the caller to free, with \xNN for each byte that is not part of a
 * printable character of the locale, and in *width (may be NULL) the columns that it takes.
 */
char *text_display(const char *text, size_t *width);

#endif
