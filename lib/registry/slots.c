/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * slots.c - the objects behind tokens: where they are kept
 *
 * Owns the memory of the slots, in chunks that are never freed, and the list of free ones.
 */
#include "registry/slots.h"
#include <errno.h>
#include <stdlib.h>

/*
 * A token is, from the highest bit: 1, 0000000, 1, 31 bits generation, 24 bits slot number. That
 * is no address on x86-64 (with or without LA57 and LAM) nor one of user space on arm64, so that
 * reading through it faults.
 */
#define TOKEN_MARK      (1ull << 63 | 1ull << 55)
#define TOKEN_MARK_MASK (0xffull << 56 | 1ull << 55)
#define INDEX_BITS      24
#define GENERATION_MAX  ((1ull << 31) - 1)

#define SLOTS_PER_CHUNK 1024u
#define CHUNKS          ((1u << INDEX_BITS) / SLOTS_PER_CHUNK)

static struct slot *_Atomic chunks[CHUNKS];
static struct slot *free_slots; /* linked by next_free */
static uint32_t made;

struct slot *slot_at(uint32_t index)
{
	struct slot *chunk =
		atomic_load_explicit(&chunks[index / SLOTS_PER_CHUNK], memory_order_acquire);

	return chunk ? &chunk[index % SLOTS_PER_CHUNK] : NULL;
}

uint32_t slots_made(void)
{
	return made;
}

uint64_t token_generation(const struct pmem2_map *token)
{
	return (uintptr_t)token >> INDEX_BITS & GENERATION_MAX;
}

struct pmem2_map *token_of(const struct slot *slot)
{
	return (struct pmem2_map *)(TOKEN_MARK | slot_generation(slot) << INDEX_BITS | slot->index);
}

struct slot *slot_of(const struct pmem2_map *token)
{
	if (((uintptr_t)token & TOKEN_MARK_MASK) != TOKEN_MARK)
		return NULL;
	return slot_at((uintptr_t)token & ((1u << INDEX_BITS) - 1));
}

static int make_chunk(void)
{
	struct slot *chunk = calloc(SLOTS_PER_CHUNK, sizeof(*chunk));

	if (!chunk)
		return -ENOMEM;
	atomic_store_explicit(&chunks[made / SLOTS_PER_CHUNK], chunk, memory_order_release);
	return 0;
}

struct slot *slot_take(void)
{
	struct slot *slot = free_slots;

	if (slot) {
		free_slots = slot->next_free;
		return slot;
	}
	if (made == CHUNKS * SLOTS_PER_CHUNK)
		return NULL;
	if (made % SLOTS_PER_CHUNK == 0 && make_chunk())
		return NULL;
	slot = slot_at(made);
	slot->index = made++;
	return slot;
}

/* A slot that has used up its generations is not used again. */
void slot_give(struct slot *slot)
{
	uint64_t generation = slot_generation(slot) + 1;

	interval_index_clear(&slot->intervals);
	free(slot->label);
	slot->label = NULL;
	slot->label_length = 0;
	slot->handler = NULL;
	atomic_store_explicit(&slot->state, slot_state_word(generation, SLOT_FREE),
			      memory_order_release);
	if (generation > GENERATION_MAX)
		return;
	slot->next_free = free_slots;
	free_slots = slot;
}
