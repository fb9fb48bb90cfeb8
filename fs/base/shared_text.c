/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shared_text.c - see shared_text.h
 */
#include "base/shared_text.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct shared_text {
	_Atomic unsigned references;
	char text[];
};

const char *shared_text_new(const char *text)
{
	size_t size = strlen(text) + 1;
	struct shared_text *shared = malloc(sizeof(*shared) + size);

	if (!shared)
		return NULL;
	atomic_init(&shared->references, 1);
	return memcpy(shared->text, text, size);
}

static struct shared_text *shared_of(const char *text)
{
	return (struct shared_text *)((uintptr_t)text - offsetof(struct shared_text, text));
}

/* Taking a reference needs no order; dropping one must come after every use of the text. */
const char *shared_text_get(const char *text)
{
	if (text)
		atomic_fetch_add_explicit(&shared_of(text)->references, 1, memory_order_relaxed);
	return text;
}

void shared_text_put(const char *text)
{
	if (text &&
	    atomic_fetch_sub_explicit(&shared_of(text)->references, 1, memory_order_acq_rel) == 1)
		free(shared_of(text));
}
