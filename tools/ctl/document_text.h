/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document_text.h - the document of a mapping as it is in the mount, from the daemon's line
 */
#ifndef PMEM2FS_CTL_DOCUMENT_TEXT_H
#define PMEM2FS_CTL_DOCUMENT_TEXT_H

#include "base/text_buffer.h"
#include <stdbool.h>

/*
 * Adds the text of the document in `line` to `out`, without a newline at its end, safe for a
 * terminal. A document that may not be read adds nothing and sets *unreadable. Returns 0, or
 * -EINVAL after a message: the line is no document of a mapping.
 */
int document_text_put(const char *line, struct text_buffer *out, bool *unreadable);

#endif
