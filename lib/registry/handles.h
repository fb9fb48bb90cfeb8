/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * handles.h - the handles that tokens name
 *
 * A struct pmem2_map pointer is not an address but a token: the index of a handle and the handle's
 * generation. The generation grows when the mapping is gone, and no generation comes back. Handles
 * are never freed, so that any pointer value can be looked up safely.
 *
 * The state word is written with the library's lock held and read without it. The fields that the
 * getters read (address, length, granularity) are atomic; they are written while the handle is free
 * or occupied and do not change while it is live, held or unmapping. All other fields are used with
 * the lock held only. Every function but handle_of, handle_at and token_generation is called with
 * the lock held.
 */
#ifndef PMEM2FS_LIB_REGISTRY_HANDLES_H
#define PMEM2FS_LIB_REGISTRY_HANDLES_H

#include "registry/interval_index.h"
#include "registry/mapping.h"
#include <stdatomic.h>

/* No mapping has a larger generation. */
#define HANDLE_GENERATION_MAX ((1ull << 31) - 1)

enum handle_state {
	HANDLE_FREE,
	HANDLE_OCCUPIED, /* a mapping is being made in its range */
	HANDLE_LIVE,
	HANDLE_HELD, /* live; a thread is unmapping a part of it */
	HANDLE_UNMAPPING,
	HANDLE_STATE_BITS = 3,
};

struct handle {
	_Atomic uint64_t state; /* generation << HANDLE_STATE_BITS | enum handle_state */
	_Atomic uintptr_t address;
	_Atomic size_t length;
	_Atomic uint8_t granularity;
	bool published;
	bool displaced; /* other mappings have taken its whole range */
	uint8_t label_length;
	uint32_t index; /* its own, also that of its slot in the table */
	char *label;    /* NULL: none */
	struct handle *next_free;
	struct interval_set intervals; /* the parts that are still mapped */
	struct interval leaving;       /* the piece that is being unmapped */
	struct mapping_facts facts;
	pmem2fs_release_handler handler; /* NULL: none */
	void *handler_arg;
};

static inline uint64_t handle_state_word(uint64_t generation, enum handle_state state)
{
	return generation << HANDLE_STATE_BITS | state;
}

static inline uint64_t handle_generation(const struct handle *handle)
{
	return atomic_load_explicit(&handle->state, memory_order_relaxed) >> HANDLE_STATE_BITS;
}

static inline enum handle_state handle_state(const struct handle *handle)
{
	return atomic_load_explicit(&handle->state, memory_order_relaxed) &
	       ((1u << HANDLE_STATE_BITS) - 1);
}

/* True also while a thread is unmapping a part. */
static inline bool handle_is_live(const struct handle *handle)
{
	return handle_state(handle) == HANDLE_LIVE || handle_state(handle) == HANDLE_HELD;
}

/* With the lock held. */
static inline uintptr_t handle_address(const struct handle *handle)
{
	return atomic_load_explicit(&handle->address, memory_order_relaxed);
}

static inline size_t handle_length(const struct handle *handle)
{
	return atomic_load_explicit(&handle->length, memory_order_relaxed);
}

/* Release order: the fields that getters read without the lock are written before. */
static inline void handle_set_state(struct handle *handle, enum handle_state state)
{
	atomic_store_explicit(&handle->state, handle_state_word(handle_generation(handle), state),
			      memory_order_release);
}

/* The handle that a token names, whether or not its mapping still exists; NULL: no such handle. */
struct handle *handle_of(const struct pmem2_map *token);
uint64_t token_generation(const struct pmem2_map *token);
struct pmem2_map *token_of(const struct handle *handle);

/* The number of handles that were ever allocated, and each of them. */
uint32_t handle_count(void);
struct handle *handle_at(uint32_t index);

/* Returns a free handle or NULL. handle_free ends the handle's generation. */
struct handle *handle_allocate(void);
void handle_free(struct handle *handle);

#endif
