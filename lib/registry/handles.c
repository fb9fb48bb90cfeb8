/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * handles.c - the handles that tokens name: their memory
 *
 * Owns the memory of the handles, in chunks that are never freed, and the list of free handles.
 * Calls interval_index.c and libc.
 */
#include "registry/handles.h"
#include <errno.h>
#include <stdlib.h>

/*
 * The bits of a token, from the highest: 1, 0000000, 1, 31 bits generation, 24 bits index of the
 * handle. No address looks like this, neither on x86-64 (with or without LA57 and LAM) nor in user
 * space on arm64, so that reading through a token faults.
 */
#define TOKEN_MARK      (1ull << 63 | 1ull << 55)
#define TOKEN_MARK_MASK (0xffull << 56 | 1ull << 55)
#define INDEX_BITS      24

#define HANDLES_PER_CHUNK 1024u
#define CHUNKS            ((1u << INDEX_BITS) / HANDLES_PER_CHUNK)

static struct handle *_Atomic chunks[CHUNKS];
static struct handle *free_handles; /* linked by next_free */
static uint32_t allocated;

struct handle *handle_at(uint32_t index)
{
	struct handle *chunk =
		atomic_load_explicit(&chunks[index / HANDLES_PER_CHUNK], memory_order_acquire);

	return chunk ? &chunk[index % HANDLES_PER_CHUNK] : NULL;
}

uint32_t handle_count(void)
{
	return allocated;
}

uint64_t token_generation(const struct pmem2_map *token)
{
	return (uintptr_t)token >> INDEX_BITS & HANDLE_GENERATION_MAX;
}

struct pmem2_map *token_of(const struct handle *handle)
{
	return (struct pmem2_map *)(TOKEN_MARK | handle_generation(handle) << INDEX_BITS |
				    handle->index);
}

struct handle *handle_of(const struct pmem2_map *token)
{
	if (((uintptr_t)token & TOKEN_MARK_MASK) != TOKEN_MARK)
		return NULL;
	return handle_at((uintptr_t)token & ((1u << INDEX_BITS) - 1));
}

static int allocate_chunk(void)
{
	struct handle *chunk = calloc(HANDLES_PER_CHUNK, sizeof(*chunk));

	if (!chunk)
		return -ENOMEM;
	atomic_store_explicit(&chunks[allocated / HANDLES_PER_CHUNK], chunk, memory_order_release);
	return 0;
}

struct handle *handle_allocate(void)
{
	struct handle *handle = free_handles;

	if (handle) {
		free_handles = handle->next_free;
		return handle;
	}
	if (allocated == CHUNKS * HANDLES_PER_CHUNK)
		return NULL;
	if (allocated % HANDLES_PER_CHUNK == 0 && allocate_chunk())
		return NULL;
	handle = handle_at(allocated);
	handle->index = allocated++;
	return handle;
}

/* A handle whose generations are exhausted is not used again. */
void handle_free(struct handle *handle)
{
	uint64_t generation = handle_generation(handle) + 1;

	interval_index_clear(&handle->intervals);
	free(handle->label);
	handle->label = NULL;
	handle->label_length = 0;
	handle->handler = NULL;
	atomic_store_explicit(&handle->state, handle_state_word(generation, HANDLE_FREE),
			      memory_order_release);
	if (generation > HANDLE_GENERATION_MAX)
		return;
	handle->next_free = free_handles;
	free_handles = handle;
}
