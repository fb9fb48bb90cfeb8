/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * slots.h - the objects behind tokens
 *
 * A struct pmem2_map pointer is no address but a token: the number of a slot and the slot's
 * generation, which changes when the mapping is gone and never comes back. Slots are never freed,
 * so any pointer value can be looked up safely.
 *
 * A slot's state word is written with the registry's lock held and read without. Its getter fields
 * are atomic, written while the slot is free or occupied and not changed while it is live, held or
 * being unmapped. Everything else in a slot is used with the lock held only, and so are all
 * functions but slot_of.
 */
#ifndef PMEM2FS_SLOTS_H
#define PMEM2FS_SLOTS_H

#include "registry/interval_index.h"
#include "registry/registry.h"
#include <stdatomic.h>

enum slot_state {
	SLOT_FREE,
	SLOT_OCCUPIED, /* a mapping is being made at its addresses */
	SLOT_LIVE,
	SLOT_HELD, /* live, and a part of it is being unmapped */
	SLOT_UNMAPPING,
	STATE_BITS = 3,
};

struct slot {
	_Atomic uint64_t state; /* generation << STATE_BITS | enum slot_state */
	_Atomic uintptr_t address;
	_Atomic size_t length;
	_Atomic uint8_t granularity;
	bool published;
	bool displaced; /* all of it is mapped by something else by now */
	uint8_t label_length;
	uint32_t index; /* its own number */
	char *label;    /* NULL: none */
	struct slot *next_free;
	struct interval_set intervals; /* what is mapped */
	struct interval leaving;       /* the piece that is being unmapped just now */
	struct mapping_facts facts;
	pmem2fs_release_handler handler; /* NULL: none */
	void *handler_arg;
};

static inline uint64_t slot_state_word(uint64_t generation, enum slot_state state)
{
	return generation << STATE_BITS | state;
}

static inline uint64_t slot_generation(const struct slot *slot)
{
	return atomic_load_explicit(&slot->state, memory_order_relaxed) >> STATE_BITS;
}

static inline enum slot_state slot_state(const struct slot *slot)
{
	return atomic_load_explicit(&slot->state, memory_order_relaxed) & ((1u << STATE_BITS) - 1);
}

/* A part of it may be being unmapped. */
static inline bool slot_is_live(const struct slot *slot)
{
	return slot_state(slot) == SLOT_LIVE || slot_state(slot) == SLOT_HELD;
}

/* Release: what the getters read without the lock is there before. */
static inline void slot_set_state(struct slot *slot, enum slot_state state)
{
	atomic_store_explicit(&slot->state, slot_state_word(slot_generation(slot), state),
			      memory_order_release);
}

/* The slot that a token names, whether or not the mapping is still there; NULL if it is none. */
struct slot *slot_of(const struct pmem2_map *token);
uint64_t token_generation(const struct pmem2_map *token);
struct pmem2_map *token_of(const struct slot *slot);

/* How many slots there are, used or not, and each of them. */
uint32_t slots_made(void);
struct slot *slot_at(uint32_t index);

/* A free slot, or NULL; and the end of one's generation. */
struct slot *slot_take(void);
void slot_give(struct slot *slot);

#endif
