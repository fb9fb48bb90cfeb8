/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * registry.c - the live mappings of this process, by token and by address
 *
 * Owns the slots that tokens name, the index of mappings by address, and the one lock of the
 * library, which is held for neither mmap nor munmap. Calls table.c with it held.
 *
 * A struct pmem2_map pointer is no address but a token: the number of a slot and the slot's
 * generation, which changes when the mapping is gone and never comes back. Slots are never freed,
 * so any pointer value can be looked up safely.
 *
 * A slot's state word is written with the lock held and read without. Its getter fields are
 * atomic, written while the slot is free and not changed while it is live or being unmapped.
 * Everything else in a slot is used with the lock held only.
 *
 * fork: the lock is held across it. A mapping that another thread was unmapping at that moment
 * stays unusable in the child, for nobody can tell whether its addresses are its own still.
 */
#include "registry.h"
#include "error.h"
#include "page.h"
#include "table.h"
#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

enum slot_state {
	SLOT_FREE,
	SLOT_LIVE,
	SLOT_UNMAPPING,
	STATE_BITS = 2,
};

struct slot {
	_Atomic uint64_t state; /* generation << STATE_BITS | enum slot_state */
	_Atomic uintptr_t address;
	_Atomic size_t length;
	_Atomic uint8_t granularity;
	bool indexed;
	bool published;
	uint8_t label_length;
	uint32_t index; /* its own number */
	char *label;    /* NULL: none */
	struct slot *next_free;
	struct mapping_facts facts;
};

static struct slot *_Atomic chunks[CHUNKS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot *free_slots; /* linked by next_free */
static uint32_t slots_made;
static void *by_address; /* of struct slot, by tsearch */

static struct slot *slot_at(uint32_t index)
{
	struct slot *chunk =
		atomic_load_explicit(&chunks[index / SLOTS_PER_CHUNK], memory_order_acquire);

	return chunk ? &chunk[index % SLOTS_PER_CHUNK] : NULL;
}

static uint64_t state_of(uint64_t generation, enum slot_state state)
{
	return generation << STATE_BITS | state;
}

static uint32_t token_index(const struct pmem2_map *token)
{
	return (uintptr_t)token & ((1u << INDEX_BITS) - 1);
}

static uint64_t token_generation(const struct pmem2_map *token)
{
	return (uintptr_t)token >> INDEX_BITS & GENERATION_MAX;
}

static struct pmem2_map *make_token(uint32_t index, uint64_t generation)
{
	return (struct pmem2_map *)(TOKEN_MARK | generation << INDEX_BITS | index);
}

/* The slot that a token names, whether or not the mapping is still there; NULL if it is none. */
static struct slot *token_slot(const struct pmem2_map *token)
{
	if (((uintptr_t)token & TOKEN_MARK_MASK) != TOKEN_MARK)
		return NULL;
	return slot_at(token_index(token));
}

bool registry_look(const struct pmem2_map *token, uintptr_t *address, size_t *length,
		   enum pmem2_granularity *granularity)
{
	struct slot *slot = token_slot(token);
	uint64_t before;
	uintptr_t a;
	size_t l;
	uint8_t g;

	if (!slot)
		return false;
	before = atomic_load_explicit(&slot->state, memory_order_acquire);
	if (before != state_of(token_generation(token), SLOT_LIVE) &&
	    before != state_of(token_generation(token), SLOT_UNMAPPING))
		return false;
	/*
	 * Acquire keeps the second look at the state behind these. Whoever stored a newer value
	 * here (release) had changed the generation before.
	 */
	a = atomic_load_explicit(&slot->address, memory_order_acquire);
	l = atomic_load_explicit(&slot->length, memory_order_acquire);
	g = atomic_load_explicit(&slot->granularity, memory_order_acquire);
	if (atomic_load_explicit(&slot->state, memory_order_relaxed) >> STATE_BITS !=
	    token_generation(token))
		return false;
	*address = a;
	*length = l;
	*granularity = g;
	return true;
}

static uintptr_t slot_address(const struct slot *slot)
{
	return atomic_load_explicit(&slot->address, memory_order_relaxed);
}

static size_t slot_length(const struct slot *slot)
{
	return atomic_load_explicit(&slot->length, memory_order_relaxed);
}

/* The first byte behind what the mapping occupies. */
static uintptr_t slot_end(const struct slot *slot)
{
	size_t length = slot_length(slot);

	return slot_address(slot) + (slot->facts.adopted ? length : page_round_up(length));
}

/* The order of the index, in which ranges that overlap are equal. */
static int compare(const void *left, const void *right)
{
	const struct slot *a = left;
	const struct slot *b = right;

	if (slot_end(a) <= slot_address(b))
		return -1;
	return slot_address(a) >= slot_end(b);
}

static bool is_live(const struct slot *slot)
{
	uint64_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);

	return (state & ((1u << STATE_BITS) - 1)) == SLOT_LIVE;
}

static void publish(struct slot *slot)
{
	const struct mapping_facts *facts = &slot->facts;
	struct pmem2fs_record record = {
		.address = slot_address(slot),
		.length = slot_length(slot),
		.offset = facts->offset,
		.source_size = facts->source_size,
		.source_dev = facts->source_dev,
		.source_rdev = facts->source_rdev,
		.source_inode = facts->source_inode,
		.created = facts->created,
		.uid = facts->uid,
		.gid = facts->gid,
		.alignment = facts->alignment,
		.source_type = facts->source_type,
		.granularity = atomic_load_explicit(&slot->granularity, memory_order_relaxed),
		.required = facts->required,
		.sharing = facts->sharing,
		.protection = facts->protection,
		.flags = facts->map_sync ? PMEM2FS_RECORD_MAP_SYNC : 0,
		.label_length = slot->label_length,
	};

	/* A table shows whole pages; pmem2_map_from_existing takes any range. */
	if (record.address % page_size() || facts->displaced)
		return;
	if (slot->label_length)
		memcpy(record.label, slot->label, slot->label_length);
	slot->published = table_publish(slot->index, &record);
}

static void retire(struct slot *slot)
{
	if (slot->published)
		table_retire(slot->index);
	slot->published = false;
}

/* Makes the table, and shows in it what a child has inherited from its parent. */
static int make_table(int *fd)
{
	int ret = table_make(fd);

	for (uint32_t i = 0; i < slots_made; i++) {
		struct slot *slot = slot_at(i);

		slot->published = false;
		if (is_live(slot))
			publish(slot);
	}
	return ret;
}

static void lock_for_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void unlock_after_fork(void)
{
	pthread_mutex_unlock(&lock);
}

static void expect_forks(void)
{
	pthread_atfork(lock_for_fork, unlock_after_fork, unlock_after_fork);
}

static void registry_lock(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, expect_forks);
	pthread_mutex_lock(&lock);
}

static void registry_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

/* As registry_lock, and sees to it that there is a table if there can be. */
static void registry_lock_with_table(void)
{
	registry_lock();
	if (table_missing())
		make_table(NULL);
}

static int make_chunk(void)
{
	struct slot *chunk = calloc(SLOTS_PER_CHUNK, sizeof(*chunk));

	if (!chunk)
		return -ENOMEM;
	atomic_store_explicit(&chunks[slots_made / SLOTS_PER_CHUNK], chunk, memory_order_release);
	return 0;
}

/* A free slot, or NULL. */
static struct slot *take_slot(void)
{
	struct slot *slot = free_slots;

	if (slot) {
		free_slots = slot->next_free;
		return slot;
	}
	if (slots_made == CHUNKS * SLOTS_PER_CHUNK)
		return NULL;
	if (slots_made % SLOTS_PER_CHUNK == 0 && make_chunk())
		return NULL;
	slot = slot_at(slots_made);
	slot->index = slots_made++;
	return slot;
}

/* Ends the slot's generation. A slot that has used up all of them is not used again. */
static void give_slot(struct slot *slot)
{
	uint64_t generation =
		(atomic_load_explicit(&slot->state, memory_order_relaxed) >> STATE_BITS) + 1;

	free(slot->label);
	slot->label = NULL;
	slot->label_length = 0;
	atomic_store_explicit(&slot->state, state_of(generation, SLOT_FREE), memory_order_release);
	if (generation > GENERATION_MAX)
		return;
	slot->next_free = free_slots;
	free_slots = slot;
}

static void fill_slot(struct slot *slot, const struct mapping *mapping)
{
	atomic_store_explicit(&slot->address, mapping->address, memory_order_release);
	atomic_store_explicit(&slot->length, mapping->length, memory_order_release);
	atomic_store_explicit(&slot->granularity, mapping->granularity, memory_order_release);
	slot->facts = mapping->facts;
}

static int set_label(struct slot *slot, const char *label, size_t length)
{
	char *copy = NULL;

	if (length) {
		copy = malloc(length);
		if (!copy)
			return error_set(-ENOMEM, "out of memory for a label");
		memcpy(copy, label, length);
	}
	free(slot->label);
	slot->label = copy;
	slot->label_length = (uint8_t)length;
	return 0;
}

static void unindex(struct slot *slot)
{
	if (slot->indexed)
		tdelete(slot, &by_address, compare);
	slot->indexed = false;
}

/*
 * Enters a slot into the index. What overlaps a mapping that the kernel has just made was unmapped
 * by the program itself, and leaves the index.
 */
static int index_slot(struct slot *slot)
{
	struct slot *const *found;
	struct slot *other;

	for (;;) {
		found = tsearch(slot, &by_address, compare);
		if (!found)
			return error_set(-ENOMEM, "out of memory for a mapping");
		other = *found;
		if (other == slot)
			break;
		if (slot->facts.adopted)
			return error_set(PMEM2_E_MAP_EXISTS,
					 "%zu bytes at 0x%zx overlap the mapping at 0x%zx",
					 slot_length(slot), slot_address(slot),
					 slot_address(other));
		unindex(other);
		retire(other);
		other->facts.displaced = true;
	}
	slot->indexed = true;
	return 0;
}

int registry_add(const struct mapping *mapping, const char *label, size_t label_length,
		 struct pmem2_map **token)
{
	struct slot *slot;
	uint64_t generation;
	int ret;

	registry_lock_with_table();
	slot = take_slot();
	if (!slot) {
		ret = error_set(-ENOMEM, "out of memory for a mapping");
		goto unlock;
	}
	fill_slot(slot, mapping);
	ret = set_label(slot, label, label_length);
	if (ret)
		goto give_slot;
	ret = index_slot(slot);
	if (ret)
		goto give_slot;

	generation = atomic_load_explicit(&slot->state, memory_order_relaxed) >> STATE_BITS;
	atomic_store_explicit(&slot->state, state_of(generation, SLOT_LIVE), memory_order_release);
	publish(slot);
	*token = make_token(slot->index, generation);
	registry_unlock();
	return 0;

give_slot:
	give_slot(slot);
unlock:
	registry_unlock();
	return ret;
}

bool registry_touches(uintptr_t address, size_t length)
{
	struct slot before = {.address = address - page_size(), .length = page_size()};
	struct slot behind = {.address = address + length, .length = page_size()};
	bool touches;

	registry_lock();
	touches = tfind(&before, &by_address, compare) || tfind(&behind, &by_address, compare);
	registry_unlock();
	return touches;
}

static int not_found(const struct pmem2_map *token)
{
	return error_set(PMEM2_E_MAPPING_NOT_FOUND, "no mapping %p: %s", (const void *)token,
			 token ? "it was unmapped already or never was one" : "it is NULL");
}

/* With the lock held: the slot of a live mapping, or NULL. */
static struct slot *live_slot(const struct pmem2_map *token)
{
	struct slot *slot = token_slot(token);

	if (!slot || atomic_load_explicit(&slot->state, memory_order_relaxed) !=
			     state_of(token_generation(token), SLOT_LIVE))
		return NULL;
	return slot;
}

int registry_claim(const struct pmem2_map *token, struct mapping *mapping)
{
	struct slot *slot;

	registry_lock_with_table();
	slot = live_slot(token);
	if (!slot) {
		registry_unlock();
		return not_found(token);
	}
	mapping->address = slot_address(slot);
	mapping->length = slot_length(slot);
	mapping->granularity = atomic_load_explicit(&slot->granularity, memory_order_relaxed);
	mapping->facts = slot->facts;
	atomic_store_explicit(&slot->state, state_of(token_generation(token), SLOT_UNMAPPING),
			      memory_order_relaxed);
	retire(slot);
	registry_unlock();
	return 0;
}

/*
 * The slot stays in the index while its range is unmapped: a mapping that gets these addresses
 * before this call displaces it, and if munmap fails there is nothing to put back.
 */
void registry_release(const struct pmem2_map *token)
{
	struct slot *slot = token_slot(token);

	registry_lock();
	unindex(slot);
	give_slot(slot);
	registry_unlock();
}

void registry_restore(const struct pmem2_map *token)
{
	struct slot *slot = token_slot(token);

	registry_lock();
	atomic_store_explicit(&slot->state, state_of(token_generation(token), SLOT_LIVE),
			      memory_order_relaxed);
	publish(slot);
	registry_unlock();
}

int registry_set_label(const struct pmem2_map *token, const char *label, size_t length)
{
	struct slot *slot;
	int ret;

	registry_lock_with_table();
	slot = live_slot(token);
	if (!slot) {
		registry_unlock();
		return not_found(token);
	}
	ret = set_label(slot, label, length);
	if (!ret && slot->published) {
		retire(slot);
		publish(slot);
	}
	registry_unlock();
	return ret;
}

int registry_table_slot(const struct pmem2_map *token, uint32_t *slot_number)
{
	struct slot *slot;
	int ret = 0;

	registry_lock_with_table();
	slot = live_slot(token);
	if (!slot)
		ret = not_found(token);
	else if (!slot->published)
		ret = error_set(-ENOENT, "mapping %p is in no table", (const void *)token);
	else
		*slot_number = token_index(token);
	registry_unlock();
	return ret;
}

int registry_export_table(int *fd)
{
	int ret = -EALREADY;

	registry_lock();
	if (table_missing() || !table_exists())
		ret = make_table(fd);
	registry_unlock();
	return ret;
}
