/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * registry.c - the live mappings of this process, by token and by address
 *
 * Owns what the slots say and the one lock of the library, which is held for neither mmap nor
 * munmap of a mapping. Calls slots.c, areas.c and table.c with it held.
 *
 * fork: the lock is held across it. A mapping that another thread was making or unmapping at that
 * moment stays unusable in the child, for nobody can tell whether its addresses are its own still.
 */
#include "registry.h"
#include "cancel.h"
#include "error.h"
#include "page.h"
#include "slots.h"
#include "table.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* It checks who has it: a signal handler may fork in the middle of a call of this library. */
static pthread_mutex_t lock = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static bool locked_for_fork;
static int cancel_state; /* of who has the lock, from before */
static pthread_cond_t unheld = PTHREAD_COND_INITIALIZER;
static uint32_t slots_held;

bool registry_look(const struct pmem2_map *token, uintptr_t *address, size_t *length,
		   enum pmem2_granularity *granularity)
{
	struct slot *slot = slot_of(token);
	uint64_t before;
	uintptr_t a;
	size_t l;
	uint8_t g;

	if (!slot)
		return false;
	before = atomic_load_explicit(&slot->state, memory_order_acquire);
	if (before < slot_state_word(token_generation(token), SLOT_LIVE) ||
	    before > slot_state_word(token_generation(token), SLOT_UNMAPPING))
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

static bool is_live(const struct slot *slot)
{
	return slot_state(slot) == SLOT_LIVE || slot_state(slot) == SLOT_HELD;
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
	if (record.address % page_size() || slot->displaced)
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

	for (uint32_t i = 0; i < slots_made(); i++) {
		struct slot *slot = slot_at(i);

		slot->published = false;
		if (is_live(slot))
			publish(slot);
	}
	return ret;
}

static void lock_for_fork(void)
{
	bool locked = pthread_mutex_lock(&lock) == 0;

	locked_for_fork = locked;
}

static void unlock_after_fork(void)
{
	if (locked_for_fork)
		pthread_mutex_unlock(&lock);
}

/*
 * The threads that held objects or waited for that are not there. The lock knows its owner by a
 * number that this thread does not have here: it is made anew.
 */
static void unlock_in_child(void)
{
	static const pthread_mutex_t fresh_lock = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
	static const pthread_cond_t fresh = PTHREAD_COND_INITIALIZER;

	for (uint32_t i = 0; slots_held && i < slots_made(); i++) {
		if (slot_state(slot_at(i)) != SLOT_HELD)
			continue;
		slot_set_state(slot_at(i), SLOT_UNMAPPING);
		slots_held--;
	}
	unheld = fresh;
	lock = fresh_lock;
}

/*
 * When the library is loaded: a program's own handlers come later, and so run before ours takes the
 * lock. Who holds a lock of the program's and calls this library is not waited for with it held.
 */
__attribute__((constructor)) static void expect_forks(void)
{
	pthread_atfork(lock_for_fork, unlock_after_fork, unlock_in_child);
}

void registry_lock(void)
{
	int state = cancel_disable();

	pthread_mutex_lock(&lock);
	cancel_state = state;
}

void registry_unlock(void)
{
	int state = cancel_state;

	pthread_mutex_unlock(&lock);
	cancel_restore(state);
}

/* As registry_lock, and sees to it that there is a table if there can be. */
static void registry_lock_with_table(void)
{
	registry_lock();
	if (table_missing())
		make_table(NULL);
}

static void fill_slot(struct slot *slot, const struct mapping *mapping)
{
	atomic_store_explicit(&slot->address, mapping->address, memory_order_release);
	atomic_store_explicit(&slot->length, mapping->length, memory_order_release);
	atomic_store_explicit(&slot->granularity, mapping->granularity, memory_order_release);
	slot->facts = mapping->facts;
	slot->displaced = false;
	slot->leaving = (struct area){0};
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

static int cut(struct slot *slot, const struct area *range)
{
	if (areas_cut(&slot->areas, range->begin) || areas_cut(&slot->areas, range->end))
		return error_set(-ENOMEM, "out of memory for parts of the mapping at 0x%zx",
				 slot_address(slot));
	return 0;
}

/* Another mapping is in a range that this one still had. */
static int displace(struct slot *slot, const struct area *range)
{
	int ret = cut(slot, range);

	if (ret)
		return ret;
	areas_drop(&slot->areas, range);
	if (!slot->areas.list) {
		slot->displaced = true;
		retire(slot);
	}
	return 0;
}

/* Which of those that overlap a new mapping have to give way. */
enum displace {
	DISPLACE_NONE,
	DISPLACE_LEAVING, /* the program has memory of its own there: theirs is gone already */
	DISPLACE_ALL,     /* the kernel has just mapped there: they were unmapped by the program */
};

/* Whether a mapping gives way to one that the program has made itself. */
static bool is_leaving(const struct slot *slot, const struct area *range)
{
	return (slot_state(slot) == SLOT_UNMAPPING || slot_state(slot) == SLOT_HELD) &&
	       range->begin >= slot->leaving.begin && range->end <= slot->leaving.end;
}

static int index_slot(struct slot *slot, enum displace displaced)
{
	const struct area range = {slot_address(slot), slot_end(slot)};
	struct slot *other;
	int ret;

	while ((ret = areas_enter(&slot->areas, slot, &range, &other)) == -EEXIST) {
		if (displaced == DISPLACE_NONE ||
		    (displaced == DISPLACE_LEAVING && !is_leaving(other, &range)))
			return error_set(PMEM2_E_MAP_EXISTS,
					 "%zu bytes at 0x%zx overlap the mapping at 0x%zx",
					 slot_length(slot), slot_address(slot),
					 slot_address(other));
		ret = displace(other, &range);
		if (ret)
			return ret;
	}
	return ret ? error_set(ret, "out of memory for a mapping") : 0;
}

int registry_add(const struct mapping *mapping, const char *label, size_t label_length,
		 struct pmem2_map **token)
{
	struct slot *slot;
	int ret;

	registry_lock_with_table();
	slot = slot_take();
	if (!slot) {
		ret = error_set(-ENOMEM, "out of memory for a mapping");
		goto unlock;
	}
	fill_slot(slot, mapping);
	ret = set_label(slot, label, label_length);
	if (ret)
		goto give_slot;
	ret = index_slot(slot, mapping->facts.adopted ? DISPLACE_LEAVING : DISPLACE_ALL);
	if (ret)
		goto give_slot;

	slot_set_state(slot, SLOT_LIVE);
	publish(slot);
	*token = token_of(slot);
	registry_unlock();
	return 0;

give_slot:
	slot_give(slot);
unlock:
	registry_unlock();
	return ret;
}

int registry_occupy(uintptr_t address, size_t length, struct pmem2_map **token)
{
	const struct mapping mapping = {.address = address, .length = length};
	struct slot *slot = slot_take();
	int ret;

	if (!slot)
		return error_set(-ENOMEM, "out of memory for a mapping");
	fill_slot(slot, &mapping);
	ret = index_slot(slot, DISPLACE_NONE);
	if (ret) {
		slot_give(slot);
		return ret == PMEM2_E_MAP_EXISTS ? PMEM2_E_MAPPING_EXISTS : ret;
	}
	slot_set_state(slot, SLOT_OCCUPIED);
	*token = token_of(slot);
	return 0;
}

int registry_establish(const struct pmem2_map *token, const struct mapping *mapping,
		       const char *label, size_t label_length)
{
	struct slot *slot = slot_of(token);
	int ret;

	registry_lock_with_table();
	fill_slot(slot, mapping);
	ret = set_label(slot, label, label_length);
	if (!ret) {
		slot_set_state(slot, SLOT_LIVE);
		publish(slot);
	}
	registry_unlock();
	return ret;
}

void registry_abandon(const struct pmem2_map *token)
{
	registry_lock();
	slot_give(slot_of(token));
	registry_unlock();
}

bool registry_touches(uintptr_t address, size_t length)
{
	bool touches;

	registry_lock();
	touches = areas_any(address - page_size(), address) ||
		  areas_any(address + length, address + length + page_size());
	registry_unlock();
	return touches;
}

bool registry_find_area(uintptr_t from, uintptr_t end, struct area *area)
{
	const struct indexed_area *found;

	registry_lock();
	found = areas_lowest(from, end);
	if (found)
		*area = found->is;
	registry_unlock();
	return found;
}

bool registry_occupied(uintptr_t from, uintptr_t end)
{
	return areas_any(from, end);
}

static bool is_live_in(const struct slot *slot, const struct pmem2_vm_reservation *reservation)
{
	return is_live(slot) && slot->facts.reservation == reservation;
}

struct pmem2_map *registry_lowest(const struct pmem2_vm_reservation *reservation, uintptr_t from,
				  uintptr_t end)
{
	const struct indexed_area *found;

	while ((found = areas_lowest(from, end)) && !is_live_in(found->owner, reservation))
		from = found->is.end;
	return found ? token_of(found->owner) : NULL;
}

/* Whether an area is where what is left of a mapping in the reservation starts. */
static bool is_start_in(const struct indexed_area *area,
			const struct pmem2_vm_reservation *reservation)
{
	return area->owner->areas.list == area && is_live_in(area->owner, reservation);
}

struct pmem2_map *registry_lowest_start(const struct pmem2_vm_reservation *reservation,
					uintptr_t from, uintptr_t end)
{
	const struct indexed_area *found;

	while ((found = areas_lowest(from, end)) &&
	       (found->is.begin < from || !is_start_in(found, reservation)))
		from = found->is.end;
	return found ? token_of(found->owner) : NULL;
}

struct pmem2_map *registry_highest_start(const struct pmem2_vm_reservation *reservation,
					 uintptr_t from, uintptr_t end)
{
	const struct indexed_area *found;

	while ((found = areas_highest(from, end)) &&
	       (found->is.begin < from || !is_start_in(found, reservation)))
		end = found->is.begin;
	return found ? token_of(found->owner) : NULL;
}

bool registry_start(const struct pmem2_map *token, uintptr_t *start)
{
	enum pmem2_granularity granularity;
	const struct indexed_area *first;
	size_t length;

	if (!registry_look(token, start, &length, &granularity))
		return false;
	first = slot_of(token)->areas.list;
	if (first)
		*start = first->is.begin;
	return true;
}

static int not_found(const struct pmem2_map *token)
{
	return error_set(PMEM2_E_MAPPING_NOT_FOUND, "no mapping %p: %s", (const void *)token,
			 token ? "it was unmapped already or never was one" : "it is NULL");
}

/* With the lock held: the slot of a live mapping, or NULL. */
static struct slot *live_slot(const struct pmem2_map *token)
{
	struct slot *slot = slot_of(token);

	if (!slot || slot_generation(slot) != token_generation(token) || !is_live(slot))
		return NULL;
	return slot;
}

static void copy_mapping(const struct slot *slot, struct mapping *mapping)
{
	mapping->address = slot_address(slot);
	mapping->length = slot_length(slot);
	mapping->granularity = atomic_load_explicit(&slot->granularity, memory_order_relaxed);
	mapping->facts = slot->facts;
}

int registry_facts(const struct pmem2_map *token, struct mapping *mapping)
{
	const struct slot *slot;

	registry_lock();
	slot = live_slot(token);
	if (slot)
		copy_mapping(slot, mapping);
	registry_unlock();
	return slot ? 0 : not_found(token);
}

/* As live_slot, of a mapping that nobody holds. Waiting for that gives up the lock meanwhile. */
static struct slot *unheld_slot(const struct pmem2_map *token)
{
	int state = cancel_state;
	struct slot *slot;

	while ((slot = live_slot(token)) && slot_state(slot) == SLOT_HELD)
		pthread_cond_wait(&unheld, &lock);
	cancel_state = state;
	return slot;
}

int registry_claim(const struct pmem2_map *token, struct mapping *mapping, struct area *piece)
{
	struct slot *slot;

	registry_lock_with_table();
	slot = unheld_slot(token);
	if (!slot) {
		registry_unlock();
		return not_found(token);
	}
	copy_mapping(slot, mapping);
	if (!areas_next_piece(&slot->areas, slot_address(slot), slot_end(slot), piece))
		*piece = (struct area){0};
	slot->leaving = *piece;
	slot_set_state(slot, SLOT_UNMAPPING);
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
	registry_lock();
	slot_give(slot_of(token));
	registry_unlock();
}

void registry_restore(const struct pmem2_map *token)
{
	struct slot *slot = slot_of(token);

	registry_lock();
	slot->leaving = (struct area){0};
	slot_set_state(slot, SLOT_LIVE);
	publish(slot);
	registry_unlock();
}

int registry_hold(const struct pmem2_map *token, struct mapping *mapping)
{
	struct slot *slot;

	registry_lock();
	slot = unheld_slot(token);
	if (slot) {
		copy_mapping(slot, mapping);
		slot_set_state(slot, SLOT_HELD);
		slots_held++;
	}
	registry_unlock();
	return slot ? 0 : not_found(token);
}

void registry_unhold(const struct pmem2_map *token)
{
	registry_lock();
	slot_of(token)->leaving = (struct area){0};
	slot_set_state(slot_of(token), SLOT_LIVE);
	slots_held--;
	pthread_cond_broadcast(&unheld);
	registry_unlock();
}

int registry_cut(const struct pmem2_map *token, const struct area *range)
{
	int ret;

	registry_lock();
	ret = cut(slot_of(token), range);
	registry_unlock();
	return ret;
}

bool registry_next_piece(const struct pmem2_map *token, uintptr_t from, uintptr_t end,
			 struct area *piece)
{
	bool found;

	registry_lock();
	found = areas_next_piece(&slot_of(token)->areas, from, end, piece);
	if (found)
		slot_of(token)->leaving = *piece;
	registry_unlock();
	return found;
}

void registry_drop(const struct pmem2_map *token, const struct area *piece)
{
	registry_lock();
	areas_drop(&slot_of(token)->areas, piece);
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
		*slot_number = slot->index;
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
