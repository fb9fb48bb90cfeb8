/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document_list.h - the documents of all mappings
 */
#ifndef PMEM2FS_CTL_DOCUMENT_LIST_H
#define PMEM2FS_CTL_DOCUMENT_LIST_H

#include "ctl/mountpoint.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Gets one mapping: its document and the text of that, or NULL for both where it may not be
 * read. Returns whether to go on.
 */
typedef bool documents_take(void *context, const char *name, const struct buffer *text,
			    json_t *document);

/*
 * Hands all mappings over, sorted by the bytes of their names; those that go meanwhile are only
 * counted, in *gone. Returns 0, or -1 after reporting what could not be read; the others have been
 * handed over then.
 */
int documents_read(int mountpoint, documents_take *take, void *context, size_t *gone);

#endif
